import test from 'tape'
import type { Identity } from '../../../lib/net/network.ts'
import { Sightings, SIGHTINGS_MAX } from '../../../lib/sightings.ts'
import type { Sighting } from '../../../lib/store/layout.ts'
import { HISTORY_MAX } from '../../../lib/wire/identity.ts'

const timeout = 30_000

/** A disk of which copies can be made. */
class Disk {
  start = 0
  history: string[] = []
  static #nonces = 0

  /** The node starts, with its random bytes. */
  run (): this {
    this.start++
    this.history = [`nonce ${Disk.#nonces++}`, ...this.history].slice(0, HISTORY_MAX)
    return this
  }

  copy (): Disk {
    return Object.assign(new Disk(), { start: this.start, history: [...this.history] })
  }

  identity (id = 'n'): Identity {
    return { id, start: this.start, history: [...this.history], cluster: '', address: null, name: '', observer: false }
  }
}

function observer (known = new Map<string, Sighting>()): Sightings {
  return new Sightings(known, (id, sighting) => {
    if (sighting === null) known.delete(id)
    else known.set(id, sighting)
  })
}

function sees (sightings: Sightings, disk: Disk): boolean {
  const identity = disk.identity()
  if (sightings.isStale(identity)) return false
  sightings.note(identity)
  return true
}

test('sightings: whoever restarts is never refused', { timeout }, async (t) => {
  const known = new Map<string, Sighting>()
  let sightings = observer(known)
  const disk = new Disk()
  for (const missed of [0, 0, 1, 6, 7, 8, 9, 30, 0]) {
    for (let i = 0; i <= missed; i++) disk.run()
    t.ok(sees(sightings, disk), `${missed} starts were not seen`)
    t.ok(sees(sightings, disk), 'and again')
    // It restarts, too, with what it has noted.
    sightings = observer(known)
    t.ok(sees(sightings, disk), 'and by the notes')
  }
  t.ok(sees(observer(), disk), 'nor where the notes are lost')
})

test('sightings: a restored image is refused, and so is every start of it', { timeout }, async (t) => {
  const sightings = observer()
  const disk = new Disk().run()
  const image = disk.copy()
  for (let i = 0; i < 3; i++) t.ok(sees(sightings, disk.run()))
  for (let i = 0; i < 2; i++) t.notOk(sees(sightings, image.run()), `start ${image.start}: lower`)
  t.notOk(sees(sightings, image.run()), 'the same start, with another nonce')
  for (let i = 0; i < HISTORY_MAX - 1; i++) t.notOk(sees(sightings, image.run()), `start ${image.start}: higher, from another past`)
  t.ok(sees(sightings, disk.run()), 'the node itself is not')
})

test('sightings: of two copies, the first that is seen goes on', { timeout }, async (t) => {
  const sightings = observer()
  const disk = new Disk().run()
  t.ok(sees(sightings, disk))
  const copy = disk.copy()
  t.ok(sees(sightings, copy.run()))
  t.notOk(sees(sightings, disk.run()))
  t.notOk(sees(sightings, disk.run()))
  t.ok(sees(sightings, copy))
  t.ok(sees(sightings, copy.run().run()))
})

test('sightings: an image that was only stopped is as good as the node', { timeout }, async (t) => {
  const sightings = observer()
  const disk = new Disk().run()
  t.ok(sees(sightings, disk))
  t.ok(sees(sightings, disk.copy().run()), 'moved to another machine')
})

test('sightings: what is noted changes with the start only, and is bounded', { timeout }, async (t) => {
  const changes: string[] = []
  const known = new Map<string, Sighting>()
  const sightings = new Sightings(known, (id, sighting) => { changes.push(`${id} ${sighting?.start ?? 'gone'}`) })
  const disk = new Disk().run()
  sightings.note(disk.identity('a'))
  sightings.note(disk.identity('a'))
  t.deepEqual(changes, ['a 1'])
  for (let i = 1; i < SIGHTINGS_MAX; i++) sightings.note(disk.identity(`n${i}`))
  sightings.note(disk.run().identity('a'))
  changes.length = 0
  sightings.note(disk.identity('new'))
  t.deepEqual(changes, ['new 2', 'n1 gone'], 'the one that was noted longest ago leaves')

  const order = (order: number): Sighting => ({ start: 1, nonce: 'x', order })
  const full = new Map(Array.from({ length: SIGHTINGS_MAX }, (_, i) => [`p${i}`, order((i + 100) % SIGHTINGS_MAX)]))
  changes.length = 0
  new Sightings(full, (id, sighting) => { changes.push(`${id} ${sighting?.order ?? 'gone'}`) }).note(disk.identity('new'))
  t.deepEqual(changes, [`new ${SIGHTINGS_MAX}`, `p${SIGHTINGS_MAX - 100} gone`], 'also after a restart')
})
