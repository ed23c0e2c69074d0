import type { PrivateLevel, PrivateRangeOptions } from './private-api.ts'
import type { RangeReads } from './range-reads.ts'
import type { View } from './ranges.ts'
import { toBytes } from './formats.ts'
import { OwnProperties } from './own-properties.ts'

/**
 * Where a sublevel is wrapped, those below it need care: most of their methods call their parent and so come by, but
 * clear() and iterators go to the root database and would bypass it. Each is caught when it attaches itself to its
 * parent, which is a step of opening it, before it does anything else.
 */
export function interceptSublevels (level: PrivateLevel, ranges: RangeReads, rootPrefix: Uint8Array): { uninstall (): void } {
  // Weak, for sublevels are many and come and go; `undone` reaches those that are only known to themselves.
  const adopted = new WeakSet<object>()
  const state = { undone: false }
  const instance = new OwnProperties(level)

  function watch (parent: PrivateLevel, properties: OwnProperties): void {
    const original = parent.attachResource

    properties.define('attachResource', (resource: object) => {
      if (!state.undone && isSublevelOf(resource, parent) && !adopted.has(resource)) {
        adopted.add(resource)
        adopt(resource)
      }
      original.call(parent, resource)
    })
  }

  function adopt (db: PrivateLevel): void {
    const prefix = toBytes(db.prefixKey('', 'utf8', false)).subarray(rootPrefix.length)
    const view: View = { db, prefix, rootPrefix }
    const properties = new OwnProperties(db)
    const { _iterator, _keys, _values, _clear } = db
    const originals = { _iterator, _keys, _values }

    for (const kind of ['_iterator', '_keys', '_values'] as const) {
      properties.define(kind, (options: PrivateRangeOptions) => state.undone
        ? originals[kind].call(db, options)
        : ranges.iterateSublevel(view, kind, options))
    }
    properties.define('_clear', (options: PrivateRangeOptions) => state.undone
      ? _clear.call(db, options)
      : ranges.clear(view, options))
    watch(db, properties)
  }

  watch(level, instance)

  return {
    uninstall () {
      state.undone = true
      instance.restore()
    }
  }
}

function isSublevelOf (resource: object, parent: PrivateLevel): resource is PrivateLevel {
  return (resource as Partial<PrivateLevel>).parent === parent
}
