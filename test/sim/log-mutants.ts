import { changingWith } from './focuses.ts'
import type { Mutant } from './mutants.ts'
import type { Focus } from './settings.ts'
import { SMALL_LOG } from './settings.ts'

/** Nodes that go down in the middle of what they write. */
const inFiles: Focus = { log: 'files', durability: 'disk', logMoves: 0, foundingData: false, syncMs: 10, faults: { kill: 4, powerCut: 4, killCoordinator: 1 } }

/** Coordinators that are cut off or die all the time, with more in their logs than the others. */
const leading: Focus = { ...inFiles, nodes: 3, minConsensus: [1, 1, 1], brief: true, clientsPerNode: 3, operations: 400, valueBytesMax: 10, thinkMs: 10, bandwidth: 100_000, failureTimeoutMs: 200, faults: { kill: 4, isolate: 4, killCoordinator: 4, oneWay: 2 } }

/** Disks of which some writes and syncs fail, under clients that do not rest. */
const failing: Focus = { ...inFiles, nodes: 3, minConsensus: [1, 1, 1], failureTimeoutMs: 200, faults: { failedWrite: 10, kill: 1 } }

/** Segments that are full soon, and files that are used again. */
const small: Focus = { ...inFiles, logBytesMax: SMALL_LOG, nodes: 3, minConsensus: [1, 1, 1], clientsPerNode: 3, operations: 400, valueBytesMax: 20_000, thinkMs: 10, bandwidth: 100_000, failureTimeoutMs: 200 }

/** Logs that are moved, by starts that are interrupted. */
const moving: Focus = { ...inFiles, logMoves: 0.5 }

/** Nodes that join, each with a copy, which begins a new log, on disks that take their time. */
const joining = changingWith({}, { joinSeveral: 4, leave: 4 }, {
  log: 'files', logMoves: 0, operations: 200, thinkMs: 50, syncMs: 100, failureTimeoutMs: 600, faults: { powerCut: 4 }
})

/** Observers that lose their disks, or part of what they write, and note whom they meet while they get a copy. */
const failingCopies: Focus = {
  ...failing,
  minConsensus: [0, 0, 0],
  leftOut: 0,
  brief: false,
  driftMax: 0,
  ambush: 0,
  clientsPerNode: 1,
  operations: 40,
  keys: 30,
  valueBytesMax: 5000,
  thinkMs: 1000,
  writeTimeoutMs: 10_000,
  failureTimeoutMs: 250,
  delayMaxMs: 2,
  bandwidth: 100_000,
  logBytesMax: 2 ** 28,
  queueMax: 100_000,
  faults: { failedWrite: 10, isolate: 4, kill: 1 },
  observers: { count: 3, knows: 'all', own: false, wipes: 6, walls: 0, images: 0, partial: 0 }
}

/** Bugs in a log that is in files. */
export const logMutants: readonly Mutant[] = [
  {
    name: 'vote before the write to a file',
    file: 'lib/store/log-writer.ts',
    find: 'await this.#log.write(',
    replace: 'this.#onPersisted((steps[steps.length - 1] as Step).id, this.#applier.durable)\n    await this.#log.write(',
    focus: inFiles
  },
  {
    name: 'an append to a file that is done before the write is',
    file: 'lib/store/file-log.ts',
    find: 'await this.#file.write([header, ...records], part.offset)',
    replace: 'const { offset } = part\n    const file = this.#file\n    this.#later(() => file.write([header, ...records], offset))',
    focus: inFiles
  },
  {
    name: 'nothing is cut from files',
    slow: true,
    file: 'lib/store/file-log.ts',
    find: 'if (to.position < this.#end.position) await this.#goOn(to)',
    replace: 'if (to.position < this.#end.position) this.#end = to',
    focus: leading,
    from: 6
  },
  {
    name: 'blocks of an earlier use of a file are taken for its own',
    slow: true,
    file: 'lib/store/segment.ts',
    find: 'if (bytes[i] !== segment.salt[i]) return false',
    replace: 'if (bytes[i] === undefined) return false',
    with: [{ file: 'lib/store/segment.ts', find: 'seed: crc32c(common)', replace: 'seed: 0' }],
    focus: small
  },
  {
    name: 'what a killed process has left in memory is taken for durable',
    file: 'lib/store/file-log.ts',
    find: 'await this.#rewrite(this.#newest)',
    replace: '',
    focus: inFiles
  },
  {
    name: 'a failed sync is tried again, and believed',
    file: 'lib/store/file-log.ts',
    find: 'await this.#rewrite(this.#newest)',
    replace: 'await this.#sync(newest.name)',
    focus: failing
  },
  {
    name: 'a node goes on after a note that could not be written',
    file: 'lib/node.ts',
    find: "error => { this.#fail(storeError('A note on other nodes could not be written to the store', error)) }",
    replace: '() => {}',
    focus: { ...failing, log: 'store' }
  },
  {
    name: 'a write to the store is believed after another that failed',
    slow: true,
    file: 'lib/store/raw-store.ts',
    find: 'throw this.#fail(error)',
    replace: 'throw error',
    focus: failingCopies,
    from: 42
  },
  {
    name: 'a torn end is taken for damage',
    slow: true,
    file: 'lib/store/file-log.ts',
    find: 'throw error\n    return null',
    replace: 'throw error\n    throw error',
    focus: inFiles,
    from: 42
  },
  {
    name: 'a file that is not whole is used',
    slow: true,
    file: 'lib/store/file-log.ts',
    find: 'this.#spares.length < SPARES_MAX && await this.#files.size(name) === this.#options.segmentBytes',
    replace: 'this.#spares.length < SPARES_MAX',
    focus: small,
    from: 18
  },
  {
    name: 'a segment goes that is needed',
    slow: true,
    file: 'lib/store/file-log.ts',
    find: 'while (kept.length > 0 && (kept[1]?.segment.base ?? base).position <= this.#truncated) kept.shift()',
    replace: 'while (kept.length > 0 && (kept[0] as Part).segment.base.position < this.#truncated) kept.shift()',
    focus: small,
    from: 4
  },
  {
    name: 'the log is truncated up to what is applied and not durable',
    slow: true,
    file: 'lib/store/apply.ts',
    find: 'return this.#sync ? this.#state.durable : this.#covered',
    replace: 'return this.#state.position',
    // What is flushed often is durable long before the log is truncated there.
    with: [{ file: 'lib/node.ts', find: 'new Applier(this.#store, sync, unsyncedMax, ', replace: 'new Applier(this.#store, sync, UNSYNCED_BYTES, ' }],
    focus: small,
    from: 14
  },
  {
    name: 'a new log is noted before it is there',
    slow: true,
    file: 'lib/store/file-medium.ts',
    find: 'await log.begin(id, begin)',
    replace: "await this.#store.batch([...operations, { type: 'put', key: logFileKey, value: encodeLogFile(id) }], { sync: true })\n      await log.begin(id, begin)",
    focus: joining
  },
  {
    name: 'an old log goes before the new one is noted',
    slow: true,
    file: 'lib/store/file-log.ts',
    find: 'this.#before.push(...before)',
    replace: 'this.#free(before)\n      await this.#background',
    focus: joining,
    from: 22
  },
  {
    name: 'a log that is moved into files is noted first',
    slow: true,
    file: 'lib/store/open-log.ts',
    find: 'await log.begin(id, base)',
    replace: "await log.begin(id, base)\n  await store.batch([{ type: 'put', key: logFileKey, value: encodeLogFile(id) }, { type: 'del', key: baseKey }], { sync: true })",
    focus: moving
  },
  {
    name: 'the files go before a log that is moved into the store is noted',
    file: 'lib/store/open-log.ts',
    find: "await store.batch([{ type: 'del', key: logFileKey }, ",
    replace: "await log.destroy()\n  await store.batch([{ type: 'del', key: logFileKey }, ",
    focus: moving
  }
]
