import tape from 'tape'
import { toText } from '../../lib/sim/disk.ts'
import { goodDisk } from '../../lib/sim/disk-calls.ts'
import { SimCluster, SimDisk, SimLevel, World } from '../../lib/sim/index.ts'
import type { DiskBehaviour, SimFiles, SimMachine } from '../../lib/sim/index.ts'
import { SimProcess } from '../../lib/sim/process.ts'
import { durableLogOf, filesOf, logOf } from './log-view.ts'
import type { LogView } from './log-view.ts'

const timeout = 60_000
const SECTOR = 512
const SEEDS = 200

const filled = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte)

/** One machine after the other on the same disk, without a replicator. */
class Machine {
  readonly world: World
  readonly disk = new SimDisk()
  readonly behaviour: DiskBehaviour = { ...goodDisk }
  files: SimFiles
  #process: SimProcess

  constructor (seed: number) {
    this.world = new World(seed)
    this.#process = new SimProcess(this.world, 'a', 1)
    this.files = this.#open()
  }

  /** A process ends, and another begins. */
  kill (): void {
    this.#process.kill()
    this.disk.files.interrupt(this.world.random)
    this.#process = new SimProcess(this.world, 'a', 1)
    this.files = this.#open()
  }

  cutPower (): void {
    this.kill()
    this.disk.files.cutPower(this.world.random)
  }

  /** What a promise gives, or the code of its error. */
  async until<T> (promise: Promise<T>): Promise<T | string> {
    let result: T | string | null = null
    promise.then((value) => { result = value ?? '' }, (error: { code: string }) => { result = error.code })
    if (!await this.world.run(() => result !== null, this.world.now + 1000)) throw new Error('it does not settle')
    return result as unknown as T | string
  }

  async write (name: string, bytes: Uint8Array, position: number): Promise<void> {
    const file = await this.files.open(name)
    await file.write([bytes], position)
  }

  async sync (name: string): Promise<void> {
    await (await this.files.open(name)).sync()
  }

  /** For a time in which something that was begun is done, or not. */
  async some (): Promise<void> {
    await this.world.run(() => false, this.world.now + this.world.random.skewed(0, 2))
  }

  async bytes (name: string): Promise<Uint8Array> {
    return await this.until(this.files.read(name, 0, 1 << 20)) as Uint8Array
  }

  #open (): SimFiles {
    return new SimLevel(this.disk, this.#process, this.world.random.fork(), this.behaviour).files
  }
}

/** What comes of something in many runs. */
async function outcomes (run: (machine: Machine) => Promise<string>): Promise<string[]> {
  const found = new Set<string>()
  for (let seed = 0; seed < SEEDS; seed++) found.add(await run(new Machine(seed)))
  return [...found].sort()
}

/** Of each sector, its bytes, if they are all the same. */
function sectors (bytes: Uint8Array): string {
  const found: string[] = []
  for (let at = 0; at < bytes.length; at += SECTOR) {
    const sector = bytes.subarray(at, at + SECTOR)
    found.push(sector.every(byte => byte === sector[0]) ? String(sector[0]) : 'torn')
  }
  return found.join('')
}

tape('simulated files hold what is written to them', { timeout }, async (t) => {
  const a = new Machine(1)
  t.deepEqual(await a.until(a.files.list()), [])
  await a.until(a.files.create('x', 2000))
  t.equal(await a.until(a.files.size('x')), 2000)
  t.deepEqual(await a.bytes('x'), new Uint8Array(2000))

  await a.until(a.write('x', filled(7, 600), 1000))
  const expected = new Uint8Array(2000).fill(7, 1000, 1600)
  t.deepEqual(await a.bytes('x'), expected)
  t.deepEqual(await a.until(a.files.read('x', 990, 30)), expected.slice(990, 1020))
  t.deepEqual(await a.until(a.files.read('x', 1990, 30)), expected.slice(1990))

  await a.until(a.files.rename('x', 'y'))
  t.deepEqual(await a.until(a.files.list()), ['y'])
  t.deepEqual(await a.bytes('y'), expected)
  await a.until(a.files.remove('y'))
  t.equal(await a.until(a.files.remove('y')), '', 'no error if it is not there')
  t.deepEqual(await a.until(a.files.list()), [])
})

tape('whoever breaks the rules of simulated files gets an error', { timeout }, async (t) => {
  const a = new Machine(1)
  t.equal(await a.until(a.files.read('x', 0, 1)), 'ENOENT')
  t.equal(await a.until(a.files.open('x')), 'ENOENT')
  await a.until(a.files.create('x', 100))
  await a.until(a.files.create('y', 100))
  t.equal(await a.until(a.files.create('x', 100)), 'EEXIST')
  t.equal(await a.until(a.files.rename('x', 'y')), 'EEXIST')
  t.equal(await a.until(a.write('x', filled(1, 51), 50)), 'EINVAL', 'a file does not grow')
  const file = await a.until(a.files.open('x')) as Awaited<ReturnType<SimFiles['open']>>
  void file.write([filled(1, 1)], 0)
  t.equal(await a.until(file.write([filled(1, 1)], 0)), 'EBADF', 'one write at a time')
  await a.some()
  await a.until(file.close())
  t.equal(await a.until(file.sync()), 'EBADF', 'it is closed')
})

tape('what was written to simulated files survives every power cut', { timeout }, async (t) => {
  t.deepEqual(await outcomes(async (a) => {
    await a.until(a.files.create('x', 3 * SECTOR))
    await a.until(a.write('x', filled(1, SECTOR), SECTOR))
    await a.until(a.files.rename('x', 'y'))
    // What is under way elsewhere in the file does not matter.
    void a.write('y', filled(2, SECTOR), 2 * SECTOR)
    await a.some()
    a.cutPower()
    a.cutPower()
    const names = await a.until(a.files.list()) as string[]
    return `${names.join()} ${sectors((await a.bytes('y')).subarray(0, 2 * SECTOR))}`
  }), ['y 01'])
})

tape('of a write that is under way, a power cut leaves any sectors', { timeout }, async (t) => {
  t.deepEqual(await outcomes(async (a) => {
    await a.until(a.files.create('x', 3 * SECTOR))
    await a.until(a.write('x', filled(1, 3 * SECTOR), 0))
    void a.write('x', filled(2, 3 * SECTOR), 0)
    await a.some()
    a.cutPower()
    return sectors(await a.bytes('x')).replaceAll('torn', '')
  }).then(found => found.filter(outcome => outcome.length === 3)), ['111', '112', '121', '122', '211', '212', '221', '222'])
})

tape('of a write that is under way, a process that is killed leaves the first part', { timeout }, async (t) => {
  const lengths = await outcomes(async (a) => {
    await a.until(a.files.create('x', 1500))
    a.behaviour.writeMs = 5
    void a.write('x', filled(1, 1000), 100)
    await a.some()
    a.kill()
    const written = [...await a.bytes('x')].map(String).join('').replace(/0*$/, '')
    if (!/^(0{100}1+)?$/.test(written)) t.fail('a hole, or something before it')
    return String(Math.max(0, written.length - 100)).padStart(4, '0')
  })
  t.equal(lengths[0], '0000')
  t.equal(lengths[lengths.length - 1], '1000')
  t.ok(lengths.length > 10, `${lengths.length} lengths`)
})

tape('what a process left when it was killed is lost in a power cut, unless another makes it durable', { timeout }, async (t) => {
  const leave = async (a: Machine): Promise<void> => {
    await a.until(a.files.create('x', SECTOR))
    void a.write('x', filled(1, SECTOR), 0)
    await a.world.run(() => a.disk.files.names.get('x')?.memory.sectors.size === 1, 1000)
    a.kill()
  }
  t.deepEqual(await outcomes(async (a) => {
    await leave(a)
    const before = sectors(await a.bytes('x'))
    a.cutPower()
    return before + sectors(await a.bytes('x'))
  }), ['10', '11'])
  t.deepEqual(await outcomes(async (a) => {
    await leave(a)
    await a.until(a.sync('x'))
    a.cutPower()
    return sectors(await a.bytes('x'))
  }), ['1'])
})

tape('a file that was removed may be back after a power cut, until a change of names after it is durable', { timeout }, async (t) => {
  const remove = async (a: Machine): Promise<void> => {
    for (const name of ['x', 'y']) await a.until(a.files.create(name, SECTOR))
    await a.until(a.write('x', filled(1, SECTOR), 0))
    await a.until(a.files.remove('x'))
  }
  const look = async (a: Machine): Promise<string> => {
    const names = await a.until(a.files.list()) as string[]
    return names.sort().join('') + (names.includes('x') ? sectors(await a.bytes('x')) : '')
  }
  t.deepEqual(await outcomes(async (a) => {
    await remove(a)
    a.cutPower()
    return await look(a)
  }), ['xy1', 'y'])
  t.deepEqual(await outcomes(async (a) => {
    await remove(a)
    await a.until(a.files.create('z', SECTOR))
    a.cutPower()
    return await look(a)
  }), ['xyz1', 'yz'], 'a new file is durable by itself')
  t.deepEqual(await outcomes(async (a) => {
    await remove(a)
    await a.until(a.files.create('x', 2 * SECTOR))
    a.cutPower()
    return await look(a)
  }), ['xy00'], 'and takes the place of an old one for good')
  t.deepEqual(await outcomes(async (a) => {
    await remove(a)
    await a.until(a.files.rename('y', 'z'))
    a.cutPower()
    return await look(a)
  }), ['z'])
})

tape('names that change when the power is cut', { timeout }, async (t) => {
  t.deepEqual(await outcomes(async (a) => {
    await a.until(a.files.create('x', SECTOR))
    void a.files.rename('x', 'y')
    await a.some()
    a.cutPower()
    return (await a.until(a.files.list()) as string[]).join()
  }), ['x', 'y'])

  const sizes = await outcomes(async (a) => {
    void a.files.create('x', 1000)
    await a.some()
    a.cutPower()
    const [name] = await a.until(a.files.list()) as string[]
    return name === undefined ? 'none' : String((await a.bytes(name)).length).padStart(4, '0')
  })
  t.ok(sizes.includes('none') && sizes.includes('1000') && sizes.length > 10, `${sizes.length} sizes`)
})

tape('simulated files are as good as their disk', { timeout }, async (t) => {
  const a = new Machine(3)
  await a.until(a.files.create('x', SECTOR))
  a.behaviour.full = true
  t.equal(await a.until(a.write('x', filled(1, SECTOR), 0)), 'LEVEL_IO_ERROR')
  t.equal(await a.until(a.files.create('y', SECTOR)), 'LEVEL_IO_ERROR')
  t.equal(sectors(await a.bytes('x')), '0', 'nothing reaches a full disk')
  a.behaviour.full = false

  a.behaviour.failedReads = 1
  t.equal(await a.until(a.files.read('x', 0, 1)), 'LEVEL_IO_ERROR')
  a.behaviour.failedReads = 0

  a.behaviour.hangs = true
  let done = false
  void a.write('x', filled(1, SECTOR), 0).then(() => { done = true })
  await a.world.run(() => false, a.world.now + 1000)
  t.notOk(done)
  a.behaviour.hangs = false
  await a.world.run(() => done, a.world.now + 1000)
  t.ok(done)
  t.equal(sectors(await a.bytes('x')), '1')

  const found = await outcomes(async (b) => {
    await b.until(b.files.create('x', SECTOR))
    b.behaviour.failedWrites = 1
    const code = await b.until(b.write('x', filled(1, SECTOR), 0))
    return `${String(code)} ${sectors(await b.bytes('x'))}`
  })
  t.deepEqual(found, ['LEVEL_IO_ERROR 0', 'LEVEL_IO_ERROR 1', 'LEVEL_IO_ERROR torn'], 'what fails may be there all the same')
})

tape('what a sync has failed to bring to a disk, no later sync need bring there, unless it is written again', { timeout }, async (t) => {
  const fail = async (a: Machine): Promise<void> => {
    await a.until(a.files.create('x', SECTOR))
    void a.write('x', filled(1, SECTOR), 0)
    await a.world.run(() => a.disk.files.names.get('x')?.memory.sectors.size === 1, 1000)
    a.kill()
    a.behaviour.failedWrites = 1
    await a.until(a.sync('x'))
    a.behaviour.failedWrites = 0
  }
  const look = async (a: Machine): Promise<string> => sectors(await a.bytes('x'))
  t.deepEqual(await outcomes(async (a) => {
    await fail(a)
    const before = await look(a)
    await a.until(a.sync('x'))
    a.cutPower()
    return before + await look(a)
  }), ['00', '10', '11'])
  t.deepEqual(await outcomes(async (a) => {
    await fail(a)
    await a.until(a.write('x', filled(1, SECTOR), 0))
    a.cutPower()
    return await look(a)
  }), ['1'])
})

tape('an image of a disk has its files', { timeout }, async (t) => {
  const a = new Machine(4)
  await a.until(a.files.create('x', 2 * SECTOR))
  await a.until(a.write('x', filled(1, SECTOR), 0))
  const image = a.disk.image()
  await a.until(a.write('x', filled(2, 2 * SECTOR), 0))
  await a.until(a.files.rename('x', 'y'))

  const b = new Machine(5)
  for (const machine of [a, b]) {
    machine.disk.replace(image)
    machine.cutPower()
    t.deepEqual(await machine.until(machine.files.list()), ['x'])
    t.equal(sectors(await machine.bytes('x')), '10')
  }
  await a.until(a.write('x', filled(3, SECTOR), 0))
  t.equal(sectors(await b.bytes('x')), '10', 'two disks share nothing')
  b.disk.replace({ store: [], files: [] })
  t.deepEqual(await b.until(b.files.list()), [])
})

tape('the log of a machine is the same, in its store and in files, and moves from one to the other', { timeout }, async (t) => {
  const cluster = new SimCluster({ seed: 2, replicators: { a: { log: 'store' }, b: { log: 'files' } } }).start()
  if (!await cluster.run(() => cluster.ready, 10_000)) throw new Error('not ready')
  const [a, b] = cluster.machines as [SimMachine, SimMachine]
  const records = (log: LogView): string => JSON.stringify(log.range(1, Infinity).map(([first, record]) => [first, toText(record)]))
  const compare = async (what: string): Promise<void> => {
    for (let i = 0; i < 10; i++) await cluster.until(a.db.put(`k${i}`, 'x'.repeat(1000)))
    await cluster.run(() => false, 1000)
    const expected = records(logOf(a.disk))
    t.ok(expected.length > 10_000, what)
    for (const { disk, name } of cluster.machines) {
      t.equal(records(logOf(disk)), expected, `${name}, ${what}`)
      t.equal(records(durableLogOf(disk)), expected, `${name}, durable, ${what}`)
    }
  }
  await compare('at first')
  t.deepEqual([a, b].map(({ disk }) => filesOf(disk).length > 0), [false, true])

  for (const [machine, log] of [[a, 'files'], [b, 'store']] as const) {
    machine.kill()
    machine.options = { ...machine.options, log }
    machine.start()
    if (!await cluster.run(() => cluster.ready, 10_000)) throw new Error('not ready again')
  }
  await compare('at the other place')
  t.deepEqual([a, b].map(({ disk }) => filesOf(disk).length > 0), [true, false])
  t.equal(b.disk.files.names.size, 0, 'no file is left over')

  a.cutPower()
  const first = logOf(a.disk).range(1, Infinity).at(-1)?.[0] ?? 0
  t.deepEqual(logOf(a.disk).get(first), logOf(b.disk).get(first))
  t.equal(logOf(a.disk).get(first + 1), undefined)
})
