import tape from 'tape'
import { Random } from '../../../lib/sim/random.ts'
import { Applier } from '../../../lib/store/apply.ts'
import { FileLog } from '../../../lib/store/file-log.ts'
import { openLog } from '../../../lib/store/open-log.ts'
import { appliedKey, baseKey, decodeLogFile, encodeApplied, encodeBase, logFileKey, logKey, vowKey } from '../../../lib/store/layout.ts'
import type { LogMedium } from '../../../lib/store/log-medium.ts'
import { LogWriter } from '../../../lib/store/log-writer.ts'
import { recover, startBatch } from '../../../lib/store/recovery.ts'
import { encodeGroup } from '../../../lib/wire/group.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import type { RecordingStore } from './store-setup.ts'
import { ends, group, groups, identity, logPositions, nodeA, nothingApplied, persist, recordingStore, settled, unexpected } from './store-setup.ts'

const timeout = { timeout: 60_000 }
const vow = { epoch: 2, to: nodeA, members: [nodeA], cluster: '' }

interface Disk {
  readonly store: RecordingStore
  readonly files: FaultyFiles
}

async function disk (random: Random): Promise<Disk> {
  const store = await recordingStore()
  await store.batch(startBatch(identity, true), { sync: true })
  store.before = async () => { if (files.crashed) throw new Error('crashed') }
  const files = new FaultyFiles(random)
  return { store, files }
}

function logOf ({ files }: Disk, random: Random): FileLog {
  return new FileLog(files, { segmentBytes: 16_384, randomBytes: length => Uint8Array.from({ length }, () => random.below(256)) })
}

/** What a start finds, and has opened then. */
async function start (disk: Disk, random: Random, isWanted: boolean): Promise<{ medium: LogMedium, log: FileLog, ends: number[], base: number, inFiles: boolean }> {
  const log = logOf(disk, random)
  const { recovered, inFiles } = await recover(disk.store, log)
  const { base, groups } = recovered
  const medium = await openLog(disk.store, { log, isThere: inFiles, isWanted, base }, { randomBytes: length => Uint8Array.from({ length }, () => random.below(256)) })
  return { medium, log, ends: ends(groups), base: base.position, inFiles }
}

const appended = { begin: null, cut: null, operations: [], truncate: null, sync: true }

tape('a log is moved into files and back, and is where it was, or where it is to be, if that is interrupted', timeout, async (t) => {
  let interrupted = 0
  const found = { files: 0, store: 0 }
  for (let seed = 1; seed <= 150; seed++) {
    const random = new Random(seed)
    const one = await disk(random)
    const base = random.chance(0.5) ? 0 : 4
    const all = groups(base + 1, base + 1 + random.below(200), 1 + random.below(3))
    await one.store.batch([
      ...all.map(group => ({ type: 'put' as const, key: logKey(group.first), value: encodeGroup(group) })),
      ...(base === 0
        ? []
        : [{ type: 'put' as const, key: baseKey, value: encodeBase({ position: base, epoch: 1 }) },
            { type: 'put' as const, key: appliedKey, value: encodeApplied({ position: base, epoch: 1, seeded: true, durable: base }) }])
    ], { sync: true })
    const expected = ends(all)

    for (let turn = 0; turn < 6; turn++) {
      const isWanted = random.chance(0.5)
      one.files.crashAfter(random.chance(0.8) ? 1 + random.below(40) : Infinity, random.chance(0.5))
      const result = await Promise.race([start(one, random, isWanted), settled().then(() => null)]).catch(() => null)
      if (one.files.crashed) {
        interrupted++
        await one.files.restart()
        continue
      }
      one.files.crashAfter(Infinity, false)
      if (result === null) return t.fail(`seed ${seed}: a start does not come to an end`)
      found[result.inFiles ? 'files' : 'store']++
      if (result.base !== base || String(result.ends) !== String(expected)) return t.fail(`seed ${seed}: after ${result.base}, ${String(result.ends)}`)
      const next = group((expected.at(-1) ?? 0) + 1)
      await result.medium.write({ ...appended, groups: [next] })
      expected.push(next.first)
      const inStore = await logPositions(one.store)
      if (isWanted !== (inStore.length === 0) || isWanted !== (await one.store.get(logFileKey) !== undefined)) return t.fail(`seed ${seed}: it is not where it should be`)
      if (!isWanted && (await one.files.list()).length > 0) return t.fail(`seed ${seed}: files are left over`)
      await result.log.close()
    }
  }
  t.ok(interrupted > 100 && found.files > 100 && found.store > 100, `interrupted ${interrupted} times; found ${JSON.stringify(found)}`)
})

tape('a log that begins anew is the old one until that is noted', timeout, async (t) => {
  const seen = { old: 0, new: 0 }
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed)
    const one = await disk(random)
    const { medium } = await start(one, random, true)
    await medium.write({ ...appended, groups: groups(1, 9) })

    one.files.crashAfter(1 + random.below(15), random.chance(0.5))
    const state = { position: 50, epoch: 3 }
    const begun = medium.write({
      ...appended, begin: state, groups: [group(51, 1, 3)], operations: [{ type: 'put', key: appliedKey, value: encodeApplied({ ...state, seeded: true, durable: 50 }) }]
    }).then(() => true, () => false)
    const isDone = await Promise.race([begun, settled().then(() => false)])
    await one.files.restart()
    one.files.crashAfter(Infinity, false)

    const after = await start(one, random, true)
    const text = `${after.base}: ${String(after.ends)}`
    const [old, half, whole] = ['0: 1,2,3,4,5,6,7,8,9', '50: ', '50: 51']
    if (text !== whole && (isDone || (text !== old && text !== half))) return t.fail(`seed ${seed}: ${text}`)
    seen[text === old ? 'old' : 'new']++
    const names = await one.files.list()
    if (names.filter(name => name.endsWith('.log')).length > 2) return t.fail(`seed ${seed}: ${names.join(', ')}`)
  }
  t.ok(seen.old > 10 && seen.new > 10, JSON.stringify(seen))
})

tape('groups are durable before the records that follow them, and those before the groups that follow', timeout, async (t) => {
  const random = new Random(1)
  const one = await disk(random)
  const { medium } = await start(one, random, true)
  const steps: string[] = []
  one.files.before = async (call) => { if (call === 'write') steps.push('groups') }
  one.store.before = async ({ operations, sync }) => { steps.push(operations.map(({ key }) => key === vowKey ? 'vow' : 'other').join() + (sync ? '' : ', not synced')) }
  const persisted: number[] = []
  const writer = new LogWriter(one.store, medium, new Applier(one.store, true, 1e6, nothingApplied, unexpected), true, 1e6, id => { persisted.push(id) }, unexpected)
  // The first is under way alone.
  writer.add(1, persist({ groups: [group(1)] }))
  writer.add(2, persist({ groups: [group(2)] }))
  writer.add(3, persist({ groups: [group(3)] }))
  writer.add(4, persist({ vow }))
  writer.add(5, persist({ truncate: { position: 1, epoch: 1 } }))
  writer.add(6, persist({ groups: [group(4)] }))
  writer.add(7, persist({ cut: { position: 3, epoch: 1 } }))
  writer.add(8, persist({ groups: [group(4, 1, 2)] }))
  await settled()
  t.deepEqual(steps, ['groups', 'groups', 'vow', 'groups', 'groups', 'groups'])
  t.deepEqual(persisted, [1, 5, 6, 8])
  t.deepEqual((await medium.read(1, 1e6)).map(({ first, epoch }) => [first, epoch]), [[1, 1], [2, 1], [3, 1], [4, 2]])
  t.deepEqual(await logPositions(one.store), [])
  await writer.stop()
})

tape('a log whose files are missing, damaged, or out of reach is refused, and nothing is changed', timeout, async (t) => {
  const code = async (promise: Promise<unknown>): Promise<unknown> => await promise.then(() => 'none', (error: { code?: unknown }) => error.code)
  const random = new Random(1)
  const one = await disk(random)
  const { medium, log } = await start(one, random, true)
  await medium.write({ ...appended, groups: groups(1, 9) })
  await medium.write({ ...appended, groups: groups(10, 12) })
  await log.close()
  const id = decodeLogFile(await one.store.get(logFileKey) as Uint8Array)
  t.match(id, /^[0-9a-f]{16}$/)
  t.deepEqual(ends((await recover(one.store, logOf(one, random))).recovered.groups), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  t.equal(await code(recover(one.store)), 'LEVEL_LOG_CORRUPT', 'there is no directory')

  const [name] = await one.files.list() as [string]
  const whole = one.files.peek(name).slice()
  const damage = async (change: (bytes: Uint8Array) => void): Promise<unknown> => {
    const bytes = whole.slice()
    change(bytes)
    one.files.put(name, bytes)
    const result = await code(recover(one.store, logOf(one, random)))
    t.deepEqual(one.files.peek(name), bytes, 'nothing is changed')
    return result
  }
  t.equal(await damage(bytes => { bytes[8192 + 60] = (bytes[8192 + 60] as number) ^ 1 }), 'LEVEL_LOG_CORRUPT', 'a block before the last')
  t.equal(await damage(bytes => { bytes[8] = bytes[4104] = 2 }), 'LEVEL_LOG_FORMAT', 'a later version')
  one.files.delete(name)
  t.equal(await code(recover(one.store, logOf(one, random))), 'LEVEL_LOG_CORRUPT', 'no file')
})
