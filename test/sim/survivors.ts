import type { SimDisk } from '../../lib/sim/index.ts'
import { toText } from '../../lib/sim/disk.ts'
import type { View } from '../../lib/core/view.ts'
import { since } from '../../lib/core/view.ts'
import { acceptedKey, copyKey, decodeIdentity, decodeView, identityKey, viewKey } from '../../lib/store/layout.ts'

/** What is on it, or was. */
interface Machine {
  readonly disk: SimDisk
}

/**
 * Can these go on without the others? One of them must hold everything that was committed: it has installed a view since
 * which it has been live without a break, up to the newest view that may have been chosen. Nobody else can tell what is lost.
 */
export function canGoOn (some: readonly Machine[], all: readonly Machine[]): boolean {
  if (!some.every(machine => viewOf(machine, viewKey) !== null)) return false
  const installed = Math.max(...all.map(machine => viewOf(machine, viewKey)?.epoch ?? 0))
  const candidates = all.flatMap(machine => [viewOf(machine, viewKey), viewOf(machine, acceptedKey)])
    .filter((view): view is View => view !== null && view.epoch >= installed)
  return candidates.every(view => some.some(machine => hasSurvived(machine, view)))
}

function hasSurvived (machine: Machine, view: View): boolean {
  const identity = durable(machine, identityKey)
  const installed = viewOf(machine, viewKey)
  if (identity === undefined || installed === null || durable(machine, copyKey) !== undefined) return false
  const first = since(view, decodeIdentity(identity).id)
  return first !== null && installed.epoch >= first
}

function viewOf (machine: Machine, key: Uint8Array): View | null {
  const record = durable(machine, key)
  return record === undefined ? null : decodeView(record)
}

/** Without a last write that may be torn; views and promises are synced before anybody hears of them. */
function durable ({ disk }: Machine, key: Uint8Array): Uint8Array | undefined {
  return disk.durable(toText(key))
}
