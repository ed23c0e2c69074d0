import tape from 'tape'
import type { Group, LogName } from '../../../lib/core/entry.ts'
import { emptyLog, lastPosition } from '../../../lib/core/entry.ts'
import { Random } from '../../../lib/sim/random.ts'
import { FileLog } from '../../../lib/store/file-log.ts'
import type { SegmentHeader } from '../../../lib/store/segment.ts'
import { FIRST_BLOCK, encodeBlockHeader, encodeSegment, fileName, makeSegment } from '../../../lib/store/segment.ts'
import { WireError } from '../../../lib/wire/bytes.ts'
import { FormatError, encodeGroup } from '../../../lib/wire/group.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { bytes, group, groups, settled } from './store-setup.ts'

const timeout = { timeout: 60_000 }

const SEGMENT = FIRST_BLOCK + 4096
const id = '1d'.repeat(8)
const otherId = '2d'.repeat(8)

/** What a log holds, as its caller knows it. */
interface State {
  readonly id: string
  readonly base: LogName
  /** Up to here the log may be gone. */
  readonly truncated: number
  readonly groups: readonly Group[]
}

interface Found {
  readonly base: LogName
  readonly records: ReadonlyArray<readonly [first: number, record: Uint8Array]>
}

function fileLog (files: FaultyFiles, random = new Random(1), segmentBytes = SEGMENT): FileLog {
  return new FileLog(files, { segmentBytes, randomBytes: length => Uint8Array.from({ length }, () => random.below(256)) })
}

/** A log that has begun, and these groups, each appended by itself. */
async function filled (appended: readonly Group[], room = SEGMENT - FIRST_BLOCK): Promise<{ files: FaultyFiles, log: FileLog }> {
  const random = new Random(1)
  const files = new FaultyFiles(random)
  const log = fileLog(files, random, FIRST_BLOCK + room)
  await log.begin(id, emptyLog)
  await log.start()
  for (const group of appended) await log.append([group])
  return { files, log }
}

async function recovered (log: FileLog, of = id): Promise<Found> {
  const records: Array<readonly [number, Uint8Array]> = []
  for await (const some of log.recover(of)) records.push(...some)
  return { base: log.base, records }
}

/** A group with a value of so many bytes. */
function sized (first: number, count: number, epoch: number, size: number, fill = 0): Group {
  const entries: Group['entries'] = Array.from({ length: count }, (_, i) => {
    const body = encodeOperations([{ type: 'put', key: bytes(`k${first + i}`), value: new Uint8Array(Math.ceil(size / count)).fill(fill) }])
    return { kind: 'write', origin: 1, number: first + i, body, operations: [] }
  })
  return { epoch, first, entries }
}

function endOf ({ base, groups }: Pick<State, 'base' | 'groups'>): LogName {
  const last = groups[groups.length - 1]
  return last === undefined ? base : { position: lastPosition(last), epoch: last.epoch }
}

function isEqual (a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Whether this is what a start may find of a log. */
function isOf ({ base, records }: Found, state: State): boolean {
  const names = [state.base, ...state.groups.map(group => endOf({ base: emptyLog, groups: [group] }))]
  const start = names.findIndex(({ position, epoch }) => position === base.position && epoch === base.epoch)
  if (start === -1 || base.position > state.truncated || records.length !== state.groups.length - start) return false
  return records.every(([first, record], i) => {
    const group = state.groups[start + i] as Group
    return group.first === first && isEqual(encodeGroup(group), record)
  })
}

/** Whether a read may give this. */
function isReadOf (read: readonly Group[], from: number, bytesMax: number, { groups, truncated }: State): boolean {
  const start = read[0] === undefined ? groups.length : groups.findIndex(({ first }) => first === read[0]?.first)
  const isGone = (group: Group) => group.first < from || lastPosition(group) <= truncated
  if (start === -1 || (read[0]?.first ?? from) < from || !groups.slice(0, start).every(isGone)) return false
  if (!read.every((group, i) => groups[start + i] !== undefined && isEqual(encodeGroup(group), encodeGroup(groups[start + i] as Group)))) return false
  let size = 0
  const enough = read.findIndex(group => (size += encodeGroup(group).length) >= bytesMax)
  return enough === -1 ? start + read.length === groups.length : enough === read.length - 1
}

/** One disk, with all that happens to it. */
class Story {
  readonly #random: Random
  readonly #files: FaultyFiles
  readonly #segmentBytes: number
  /** What the disk may hold: what was acknowledged, and what may have been done of what was not. */
  #possible: State[] = []
  /** What the caller has noted. */
  #noted: string | null = null
  #epoch = 1
  #log: FileLog
  #fill = 0

  constructor (seed: number) {
    this.#random = new Random(seed)
    this.#files = new FaultyFiles(this.#random.fork())
    this.#segmentBytes = FIRST_BLOCK + this.#random.pick([2048, 5000, 16_384])
    this.#log = this.#open()
  }

  /** Throws if anything is not as it should be. */
  async run (lives: number): Promise<void> {
    for (let life = 0; life < lives; life++) {
      this.#files.crashAfter(1 + this.#random.below(this.#random.pick([40, 400, 1000])), this.#random.chance(0.5))
      try {
        await this.#live()
      } catch (error) {
        if (!this.#files.crashed) throw error
      }
      await this.#files.restart()
      if (this.#random.chance(0.3)) this.#files.failSync()
      if (this.#random.chance(0.2)) this.#files.cutPower()
      this.#log = this.#open()
    }
    if (this.#noted !== null) await this.#recover()
  }

  #open (): FileLog {
    return fileLog(this.#files, this.#random, this.#segmentBytes)
  }

  async #live (): Promise<void> {
    if (this.#noted === null) {
      if (!await this.#begin()) return
    } else {
      const state = await this.#recover()
      await this.#log.start()
      this.#possible = [state]
    }
    if (this.#random.chance(0.5)) await this.#check([])
    const steps = this.#random.below(60)
    for (let step = 0; step < steps; step++) {
      if (!await this.#act()) return
    }
    if (this.#random.chance(0.5)) await this.#log.close()
  }

  async #recover (): Promise<State> {
    const found = await recovered(this.#log, this.#noted as string)
    const state = this.#possible.find(state => isOf(found, state))
    if (state === undefined) throw new Error(`found ${describe(found)} instead of ${this.#possible.map(describeState).join(' or ')}`)
    const start = state.groups.findIndex(({ first }) => first > found.base.position)
    return { ...state, base: found.base, truncated: found.base.position, groups: start === -1 ? [] : state.groups.slice(start) }
  }

  /** Whether the process goes on. */
  async #act (): Promise<boolean> {
    const chance = this.#random.next()
    if (chance < 0.03) return await this.#begin()
    if (chance < 0.1) await this.#cut()
    else if (chance < 0.25) await this.#truncate()
    else if (chance < 0.3) await this.#check([])
    else await this.#append()
    return true
  }

  get #state (): State {
    return this.#possible[0] as State
  }

  async #append (): Promise<void> {
    const state = this.#state
    let { position } = endOf(state)
    const added = Array.from({ length: this.#random.chance(0.7) ? 1 : 1 + this.#random.below(20) }, () => {
      if (this.#random.chance(0.1)) this.#epoch++
      const size = this.#random.chance(0.05) ? this.#random.below(3 * this.#segmentBytes) : Math.floor(this.#random.skewed(1, 2000))
      const group = sized(position + 1, 1 + this.#random.below(Math.min(size, 5)), this.#epoch, size, this.#fill++ % 256)
      position = lastPosition(group)
      return group
    })
    await this.#become({ ...state, groups: [...state.groups, ...added] }, () => this.#log.append(added))
  }

  async #cut (): Promise<void> {
    const state = this.#state
    const kept = state.groups.filter(group => lastPosition(group) <= state.truncated)
    const count = kept.length + this.#random.below(state.groups.length - kept.length + 1)
    const next = { ...state, groups: state.groups.slice(0, count) }
    if (endOf(next).position < state.truncated) return
    await this.#become(next, () => this.#log.cut(endOf(next)))
    // Another view goes on.
    this.#epoch++
  }

  async #truncate (): Promise<void> {
    const state = this.#state
    const end = endOf(state).position
    const position = this.#random.chance(0.2) ? end : state.base.position + this.#random.below(end - state.base.position + 1)
    await this.#become({ ...state, truncated: Math.max(state.truncated, position) }, () => this.#log.truncate(position))
  }

  /** A crash may come before it is noted. */
  async #begin (): Promise<boolean> {
    const base = this.#random.chance(0.3) ? emptyLog : { position: 1 + this.#random.below(1000), epoch: this.#epoch }
    const begun = toHex(Uint8Array.from({ length: 8 }, () => this.#random.below(256)))
    await this.#log.begin(begun, base)
    if (this.#random.chance(0.2)) return false
    const isFirst = this.#noted === null
    this.#noted = begun
    this.#possible = [{ id: begun, base, truncated: base.position, groups: [] }]
    if (isFirst) await this.#log.start()
    else if (this.#random.chance(0.8)) this.#log.forget()
    return true
  }

  async #become (next: State, change: () => Promise<void>): Promise<void> {
    this.#possible = [this.#state, next]
    const changing = change()
    if (this.#random.chance(0.3)) await Promise.all([changing, this.#check(this.#possible)])
    else await changing
    this.#possible = [next]
  }

  async #check (possible: readonly State[]): Promise<void> {
    const states = possible.length > 0 ? possible : this.#possible
    const { base } = this.#state
    const from = base.position + this.#random.below(endOf(this.#state).position - base.position + 3)
    const bytesMax = this.#random.pick([0, 500, 10_000, 1e9])
    const read = await this.#log.read(from, bytesMax)
    if (states.some(state => isReadOf(read, from, bytesMax, state))) return
    throw new Error(`read ${read.map(({ first }) => first).join()} from ${from}, ${bytesMax} bytes, of ${states.map(describeState).join(' or ')}`)
  }
}

function describe ({ base, records }: Found): string {
  return `${base.position}@${base.epoch}: ${records.map(([first]) => first).join()}`
}

function describeState (state: State): string {
  return `${state.base.position}@${state.base.epoch} (${state.truncated}): ${state.groups.map(({ first }) => first).join()}`
}

const SEEDS = 250

tape('whatever happens, what was acknowledged is there, and nothing else', timeout, async (t) => {
  const broken: string[] = []
  for (let seed = 1; seed <= SEEDS; seed++) {
    await new Story(seed).run(12).catch((error: Error) => { broken.push(`seed ${seed}: ${error.stack}`) })
  }
  t.deepEqual(broken.slice(0, 3), [])
})

/** Several segments, with several blocks in each. The last one is that of the last group. */
async function several (): Promise<{ files: FaultyFiles, appended: Group[], names: string[] }> {
  const appended = Array.from({ length: 12 }, (_, i) => sized(2 * i + 1, 2, 1 + Math.floor(i / 5), 200, i))
  const { files, log } = await filled(appended, 1024)
  await log.close()
  const names = (await files.list()).filter(name => name.endsWith('.log')).sort()
  return { files, appended, names }
}

/** The offsets of the bytes of all blocks, and those of the last. */
function placesOf (files: FaultyFiles, names: readonly string[]): Array<{ name: string, from: number, to: number }> {
  return names.flatMap((name) => {
    const file = files.peek(name)
    const view = new DataView(file.buffer, file.byteOffset)
    const places = []
    for (let from = FIRST_BLOCK; from + 32 < file.length && view.getUint32(from + 12) === from;) {
      const to = from + view.getUint32(from + 16)
      places.push({ name, from, to })
      from = to
    }
    return places
  })
}

/** What is found with one bit of a byte turned; an error if that is noticed. */
async function damage (files: FaultyFiles, places: ReadonlyArray<{ name: string, at: number }>): Promise<Found | Error> {
  const turn = () => { for (const { name, at } of places) files.peek(name)[at] = (files.peek(name)[at] as number) ^ (1 << at % 8) }
  turn()
  const found = await recovered(fileLog(files)).catch((error: Error) => error)
  turn()
  return found
}

function isWhole (found: Found | Error, appended: readonly Group[]): boolean {
  return !(found instanceof Error) && isOf(found, { id, base: emptyLog, truncated: 0, groups: appended })
}

tape('damage to what was acknowledged is noticed, unless it is the last block', timeout, async (t) => {
  const { files, appended, names } = await several()
  const places = placesOf(files, names)
  t.equal(places.length, appended.length)
  t.ok(names.length >= 4, `${names.length} segments`)

  const unnoticed: string[] = []
  for (const { name, from, to } of places.slice(0, -1)) {
    for (let at = from; at < to; at++) {
      if (!(await damage(files, [{ name, at }]) instanceof WireError)) unnoticed.push(`${name} ${at}`)
    }
  }
  t.deepEqual(unnoticed, [])

  const last = places[places.length - 1] as typeof places[number]
  const wrong: number[] = []
  for (let at = last.from; at < last.to; at++) {
    if (!isWhole(await damage(files, [{ name: last.name, at }]), appended.slice(0, -1))) wrong.push(at)
  }
  t.deepEqual(wrong, [], 'of a last block nobody knows whether it was acknowledged')
})

tape('after a start, damage to the last block is noticed, too', timeout, async (t) => {
  const { files, names } = await several()
  const log = fileLog(files)
  await recovered(log)
  await log.start()
  const { name, from, to } = placesOf(files, names).pop() as ReturnType<typeof placesOf>[number]
  const unnoticed: number[] = []
  for (let at = from; at < to; at++) {
    if (!(await damage(files, [{ name, at }]) instanceof WireError)) unnoticed.push(at)
  }
  t.deepEqual(unnoticed, [])
})

/** A file as a log would leave it, or would not. */
function putSegment (files: FaultyFiles, header: Partial<SegmentHeader> & { sequence: number }, blocks: ReadonlyArray<readonly Group[]>): void {
  const segment = makeSegment({ id, previous: header.sequence - 1, oldest: 1, base: emptyLog, size: SEGMENT, salt: new Uint8Array(8).fill(header.sequence), ...header })
  const file = new Uint8Array(segment.size)
  file.set(encodeSegment(segment))
  let offset = FIRST_BLOCK
  for (const block of blocks) {
    const records = block.map(encodeGroup)
    for (const chunk of [encodeBlockHeader(segment, offset, block, records), ...records]) {
      file.set(chunk, offset)
      offset += chunk.length
    }
  }
  files.put(segment.name, file)
}

tape('what no log leaves behind', timeout, async (t) => {
  const whole = [groups(1, 3), groups(4, 8, 5, 2)]
  const cases: Array<[what: string, blocks: Group[][], next: Partial<SegmentHeader> | null, error: RegExp | null]> = [
    ['one segment', whole, null, null],
    ['another behind it', whole, { base: { position: 8, epoch: 2 } }, null],
    ['another within it', whole, { base: { position: 3, epoch: 1 } }, null],
    ['another instead of it', whole, { base: { position: 8, epoch: 2 }, oldest: 2 }, null],
    ['another that begins within a group', whole, { base: { position: 5, epoch: 2 } }, /1.log is damaged at position 9/],
    ['another that begins in another epoch', whole, { base: { position: 3, epoch: 2 } }, /1.log is damaged at position 4/],
    ['another that begins too late', whole, { base: { position: 9, epoch: 2 } }, /1.log is damaged at position 9/],
    ['another that begins as early', whole, { base: emptyLog }, /1.log is missing or damaged/],
    ['another that follows on a third', whole, { base: { position: 8, epoch: 2 }, previous: 7 }, /7.log is missing or damaged/],
    ['a position is missing', [groups(1, 3), groups(5, 8, 1, 2)], null, /1.log is damaged at position 4/],
    ['a position is there twice', [groups(1, 3), groups(3, 8, 1, 2)], null, /1.log is damaged at position 4/],
    ['an epoch that goes back', [groups(1, 3, 1, 2), groups(4, 8)], null, /1.log is damaged at position 4/]
  ]
  for (const [what, blocks, next, error] of cases) {
    const files = new FaultyFiles(new Random(1))
    putSegment(files, { sequence: 1 }, blocks)
    if (next !== null) putSegment(files, { sequence: 2, ...next }, [])
    const found = await recovered(fileLog(files)).then(() => 'whole', (error: Error) => error.message)
    t.match(found, error ?? /^whole$/, what)
  }
})

tape('what is before the damage is found', timeout, async (t) => {
  const { files, appended, names } = await several()
  const { name, to } = placesOf(files, names)[4] as { name: string, to: number }
  files.peek(name)[to - 1] = 0xee
  const found: number[] = []
  try {
    for await (const records of fileLog(files).recover(id)) found.push(...records.map(([first]) => first))
    t.fail('the damage is not noticed')
  } catch (error) {
    t.equal((error as Error).message, `${name} is damaged at position 9`)
  }
  t.deepEqual(found, appended.slice(0, 4).map(({ first }) => first))
})

tape('damage to what is not used does no harm', timeout, async (t) => {
  const { files, appended, names } = await several()
  const wrong: string[] = []
  for (const name of names) {
    const end = Math.max(...placesOf(files, [name]).map(({ to }) => to))
    for (const at of [...Array(200).keys(), ...Array.from({ length: 200 }, (_, i) => 4096 + i), end, end + 1, files.peek(name).length - 1]) {
      if (!isWhole(await damage(files, [{ name, at }]), appended)) wrong.push(`${name} ${at}`)
    }
  }
  t.deepEqual(wrong, [], 'each header is there twice')
})

tape('a segment that has lost both of its headers', timeout, async (t) => {
  const { files, appended, names } = await several()
  for (const name of names) {
    const found = await damage(files, [{ name, at: 3 }, { name, at: 4099 }])
    t.ok(found instanceof WireError, (found as Error).message)
  }

  const log = fileLog(files)
  await recovered(log)
  await log.start()
  const newest = (await files.list()).filter(name => name.endsWith('.log')).sort().pop() as string
  t.ok(isWhole(await damage(files, [{ name: newest, at: 3 }, { name: newest, at: 4099 }]), appended), 'if it has no block either, it had not begun')
})

tape('files that are missing or too short', timeout, async (t) => {
  const { files, names } = await several()
  for (const name of names) {
    for (const length of [0, 100, FIRST_BLOCK, FIRST_BLOCK + 50, FIRST_BLOCK + 1023]) {
      // An empty file at the end is one that was being made.
      if (length === 0 && name === names[names.length - 1]) continue
      const copy = files.copy()
      copy.put(name, copy.peek(name).slice(0, length))
      t.ok(await recovered(fileLog(copy)).catch((error: Error) => error) instanceof WireError, `${name} with ${length} bytes`)
    }
    if (name === names[names.length - 1]) continue
    const copy = files.copy()
    copy.delete(name)
    t.match(String(await recovered(fileLog(copy)).catch((error: Error) => error)), /WireError.*(missing)/, `without ${name}`)
  }
  t.match(String(await recovered(fileLog(files), otherId).catch((error: Error) => error)), /WireError: there is no file of log 2d2d/)
})

tape('a newer format is refused', timeout, async (t) => {
  const { files, names } = await several()
  for (const name of [names[1], names[names.length - 1]] as string[]) {
    const copy = files.copy()
    for (const at of [8, 4096 + 8]) copy.peek(name)[at] = 2
    t.ok(await recovered(fileLog(copy)).catch((error: Error) => error) instanceof FormatError, name)
  }
})

tape('a block that is not whole is passed over only if none follows', timeout, async (t) => {
  const { files, appended, names } = await several()
  const places = placesOf(files, names)
  const { name, from, to } = places[places.length - 1] as typeof places[number]
  const wrong: number[] = []
  for (let length = 0; length < to - from; length++) {
    const copy = files.copy()
    copy.peek(name).fill(0, from + length)
    if (!isWhole(await recovered(fileLog(copy)), appended.slice(0, -1))) wrong.push(length)
  }
  t.deepEqual(wrong, [], 'a last block that is cut off')

  const before = places[places.length - 2] as typeof places[number]
  t.equal(before.name, name)
  files.peek(name).fill(0, before.from, before.from + 32)
  t.ok(await recovered(fileLog(files)).catch((error: Error) => error) instanceof WireError, 'zeros with a block behind them')
})

tape('files of others are left alone', timeout, async (t) => {
  const files = new FaultyFiles(new Random(1))
  const others = ['LOCK', '000005.log', '0000000000000001.ldb', 'ffffffffffffffff.log', '1.spare']
  for (const name of others) files.put(name, bytes(name))
  const log = fileLog(files)
  await log.begin(id, emptyLog)
  await log.start()
  await log.append(groups(1, 3))
  await log.close()

  const again = fileLog(files)
  await recovered(again)
  await again.start()
  await again.begin(otherId, emptyLog)
  again.forget()
  await again.destroy()
  t.deepEqual(await files.list(), others)
  for (const name of others) t.deepEqual(files.peek(name), bytes(name))
})

tape('a segment that is not needed is used again', timeout, async (t) => {
  const { files, log } = await filled([])
  const created: string[] = []
  const most: number[] = []
  files.before = async (call, name) => { if (call === 'create') created.push(name) }
  for (let first = 1; first < 400; first++) {
    await log.append([sized(first, 1, 1, 500)])
    if (first > 20) await log.truncate(first - 20)
    if (first === 100) created.length = 0
    most.push((await files.list()).length)
  }
  t.deepEqual(created, [], 'soon no file is made any more')
  t.ok(Math.max(...most) <= 8, `${Math.max(...most)} files`)
  t.equal((await log.read(0, 1e9)).length, 399 - log.base.position)
})

tape('what is truncated goes with the next segment, or at once if that is worth while', timeout, async (t) => {
  const appended = Array.from({ length: 40 }, (_, i) => sized(i + 1, 1, 1, 500))
  const { files, log } = await filled(appended)
  const all = (await files.list()).filter(name => name.endsWith('.log')).length
  await log.truncate(8)
  t.equal(log.base.position, 0, 'one can go')
  await log.truncate(30)
  t.ok(log.base.position > 20 && log.base.position <= 30, `now ${log.base.position} are gone`)
  await log.close()
  const names = await files.list()
  t.ok(names.filter(name => name.endsWith('.log')).length < all)
  t.equal(names.filter(name => name.endsWith('.spare')).length, 2, 'two are kept')

  const again = fileLog(files)
  const { base, records } = await recovered(again)
  t.deepEqual([base, records.length], [log.base, 40 - log.base.position])
})

tape('one is prepared when the segment is half full, and no append waits for it', timeout, async (t) => {
  const { files, log } = await filled([])
  let release = () => {}
  const created: string[] = []
  files.before = async (call, name) => {
    if (call !== 'create') return
    created.push(name)
    await new Promise<void>((resolve) => { release = resolve })
  }
  const spares: number[] = []
  for (let first = 1; first <= 6; first++) {
    await log.append([sized(first, 1, 1, 500)])
    spares.push(created.length)
  }
  t.deepEqual([spares, created], [[0, 0, 0, 1, 1, 1], [fileName(2, 'spare')]])
  release()
  await log.append([sized(7, 1, 1, 1000)])
  t.deepEqual((await files.list()).sort(), [fileName(1, 'log'), fileName(3, 'log')])
  await log.close()
})

tape('a block that is larger than a segment', timeout, async (t) => {
  const large = [sized(1, 1, 1, 100), sized(2, 3, 1, 3 * SEGMENT + 3500), sized(5, 1, 1, 1000)]
  const { files, log } = await filled(large)
  t.equal(files.peek(fileName(2, 'log')).length % 4096, 0)
  t.deepEqual((await log.read(1, 1e9)).map(encodeGroup), large.map(encodeGroup))
  t.ok(isOf(await recovered(fileLog(files)), { id, base: emptyLog, truncated: 0, groups: large }))

  await log.truncate(5)
  await log.close()
  for (const name of await files.list()) t.equal(files.peek(name).length, SEGMENT, 'it is not used again')
})

tape('reads', timeout, async (t) => {
  const appended = Array.from({ length: 300 }, (_, i) => sized(3 * i + 1, 3, 1, 600, i % 256))
  const { log } = await filled(appended, 80_000)
  const size = encodeGroup(appended[0] as Group).length
  const read = async (from: number, bytesMax: number) => (await log.read(from, bytesMax)).map(({ first }) => first)
  t.deepEqual(await read(1, 0), [1], 'at least one')
  t.deepEqual(await read(0, 2 * size), [1, 4])
  t.deepEqual(await read(2, 2 * size + 1), [4, 7, 10], 'from the one that begins there or behind')
  t.deepEqual(await read(898, 1e9), [898])
  t.deepEqual(await read(899, 1e9), [])
  for (const from of [1, 100, 451, 700]) t.equal((await read(from, 1e9)).length, 300 - Math.ceil((from - 1) / 3))
})

tape('a read tells of damage', timeout, async (t) => {
  const { files, log } = await filled(groups(1, 9))
  const { name, to } = placesOf(files, [fileName(1, 'log')])[5] as { name: string, to: number }
  files.peek(name)[to - 1] = 0xee
  t.equal((await log.read(1, 100)).length > 0, true)
  t.ok(await log.read(1, 1e9).catch((error: Error) => error) instanceof WireError)
})

tape('the old log is there until the new one is noted', timeout, async (t) => {
  const { files, log } = await filled(groups(1, 9))
  await log.begin(otherId, { position: 50, epoch: 7 })
  await log.append([group(51, 2, 7)])
  t.deepEqual((await log.read(0, 1e9)).map(({ first }) => first), [51])
  t.equal((await recovered(fileLog(files.copy()))).records.length, 9)
  t.deepEqual(await recovered(fileLog(files.copy()), otherId), { base: { position: 50, epoch: 7 }, records: [[51, encodeGroup(group(51, 2, 7))]] })

  log.forget()
  await log.close()
  t.ok(await recovered(fileLog(files.copy())).catch((error: Error) => error) instanceof WireError)
  const again = fileLog(files)
  t.deepEqual((await recovered(again, otherId)).records.length, 1)
  await again.start()
  await again.append([group(53, 1, 7)])
  t.deepEqual((await recovered(fileLog(files), otherId)).records.map(([first]) => first), [51, 53])
})

tape('a log is cut at the end of a group only, and goes on there', timeout, async (t) => {
  const { files, log } = await filled(groups(1, 10, 2))
  await log.cut({ position: 6, epoch: 1 })
  t.deepEqual((await log.read(1, 1e9)).map(({ first }) => first), [1, 3, 5])
  await log.append([group(7, 4, 2)])
  t.deepEqual((await recovered(fileLog(files.copy()))).records.map(([first]) => first), [1, 3, 5, 7])
  for (const to of [{ position: 9, epoch: 2 }, { position: 6, epoch: 2 }, { position: 11, epoch: 2 }]) {
    const copy = files.copy()
    const other = fileLog(copy)
    await recovered(other)
    await other.start()
    const before = await copy.list()
    t.match(String(await other.cut(to).catch((error: Error) => error)), /AssertionError/, `not at ${to.position} of epoch ${to.epoch}`)
    t.deepEqual(await copy.list(), before)
  }
})

tape('an error in the background makes the next append reject', timeout, async (t) => {
  const { files, log } = await filled(groups(1, 9))
  files.before = async (call) => {
    if (call !== 'create') return
    files.before = async () => {}
    throw new Error('no space')
  }
  await log.append([sized(10, 1, 1, 2500)])
  await settled()
  t.equal(await log.append([sized(11, 1, 1, 10)]).catch((error: Error) => error.message), 'no space')
  t.equal((await recovered(fileLog(files))).records.length, 10)
})

tape('nothing is written after an error', timeout, async (t) => {
  for (const failing of ['write', 'create', 'rename']) {
    const { files, log } = await filled(groups(1, 9))
    files.before = async (call) => { if (call === failing) throw new Error('no space') }
    const errors: string[] = []
    for (let first = 10; first < 100; first++) await log.append([sized(first, 1, 1, 300)]).catch((error: Error) => { errors.push(error.message) })
    t.ok(errors.length > 70 && errors.every(message => message === 'no space'), `${failing}: ${errors.length} appends reject`)
    files.before = async () => {}
    t.equal(await log.append([sized(100 - errors.length, 1, 1, 300)]).catch((error: Error) => error.message), 'no space')
    t.equal(await log.cut({ position: 1, epoch: 1 }).catch((error: Error) => error.message), 'no space')
    t.equal((await log.read(1, 1e9)).length, 99 - errors.length, 'what there was is read all the same')
    await log.close()
    const found = (await recovered(fileLog(files))).records.length
    t.ok(found === 99 - errors.length || found === 100 - errors.length, `${failing}: ${found} are found`)
  }
})
