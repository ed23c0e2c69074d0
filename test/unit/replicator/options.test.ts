import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { Replicator, ReplicatorError } from '../../../index.ts'
import type { ReplicatorOptions } from '../../../index.ts'
import type { OptionLimit } from '../../../lib/limits.ts'
import { optionLimits } from '../../../lib/limits.ts'
import { readOptions } from '../../../lib/options.ts'

const timeout = 30_000

/** What a call throws, as `<class>: <message>`. */
function thrown (call: () => unknown): string {
  try {
    call()
    return 'nothing'
  } catch (error) {
    return error instanceof ReplicatorError ? `${error.code}: ${error.message}` : String(error)
  }
}

const host = 'localhost'
const peers = [{ host, port: 3001 }, { host, port: 3002 }]

/** Options that no type checker would let pass, and what the error has to name. */
const wrong: Array<[string, unknown, RegExp]> = [
  ['options that are no object', 3000, /^TypeError: .*'opts'/],
  ['options that are null', null, /^TypeError: .*'opts'/],
  ['options that are an array', [], /^TypeError: .*'opts'/],
  ['an unknown option', { quorum: 2 }, /^TypeError: .*'quorum'/],
  ['an option in another case', { minconsensus: 2 }, /^TypeError: .*'minconsensus'/],
  ['a host without a port', { host }, /^TypeError: .*'host'.*'port'/],
  ['an empty host', { host: '', port: 3000 }, /^TypeError: .*'host'/],
  ['a host that is too long', { host: 'h'.repeat(256), port: 3000 }, /^TypeError: .*'host'/],
  ['a host that is no string', { host: 1, port: 3000 }, /^TypeError: .*'host'/],
  ['port 0', { port: 0 }, /^TypeError: .*'port'/],
  ['observers of an observer', { role: 'observer', observersMax: 1 }, /^TypeError: .*'observersMax'/],
  ['a port that is too large', { port: 65_536 }, /^TypeError: .*'port'/],
  ['a port that is a string', { port: '3000' }, /^TypeError: .*'port'/],
  ['a port that is no integer', { port: 3000.5 }, /^TypeError: .*'port'/],
  ['peers that are null', { peers: null }, /^TypeError: .*'peers'/],
  ['peers that are no array', { peers: peers[0] }, /^TypeError: .*'peers'/],
  ['a peer that is a string', { peers: ['localhost:3001'] }, /^TypeError: .*peers\[0\]/],
  ['a peer that is null', { peers: [peers[0], null] }, /^TypeError: .*peers\[1\]/],
  ['a peer without a port', { peers: [peers[0], { host }] }, /^TypeError: .*'peers\[1\]\.port'/],
  ['a peer without a host', { peers: [{ port: 3001 }] }, /^TypeError: .*'peers\[0\]\.host'/],
  ['too many peers', { peers: Array.from({ length: 64 }, (_, i) => ({ host, port: i + 1 })) }, /^TypeError: .*'peers'/],
  ['a peer by an empty name', { peers: [{ dns: '', port: 1 }] }, /^TypeError: .*'peers\[0\]\.dns'/],
  ['a peer by a name that is no string', { peers: [{ srv: 1 }] }, /^TypeError: .*'peers\[0\]\.srv'/],
  ['a peer by a name that is too long', { peers: [{ srv: 'n'.repeat(254) }] }, /^TypeError: .*'peers\[0\]\.srv'/],
  ['a peer by name without a port', { peers: [{ dns: 'db' }] }, /^TypeError: .*'peers\[0\]\.port'/],
  ['a service with a port', { peers: [{ srv: 'db', port: 1 }] }, /^TypeError: .*'peers\[0\]'.*port/],
  ['a peer by host and name', { peers: [{ host, port: 1, dns: 'db' }] }, /^TypeError: .*'peers\[0\]'/],
  ['a peer by two names', { peers: [{ dns: 'db', srv: 'db', port: 1 }] }, /^TypeError: .*'peers\[0\]'/],
  ['too many names', { peers: Array.from({ length: 64 }, (_, i) => ({ srv: `s${i}` })) }, /^TypeError: .*'peers'/],
  ['a minConsensus of 0 with peers by name', { peers: [{ srv: 'db' }], minConsensus: 0 }, /^LEVEL_NOT_SUPPORTED: .*minConsensus/],
  ['another role', { role: 'leader' }, /^TypeError: .*'role'.*member, witness/],
  ['another coordinator', { coordinator: 'me' }, /^TypeError: .*'coordinator'.*auto, fixed/],
  ['a cluster that is no id', { cluster: 'c1' }, /^TypeError: .*'cluster'.*32 hex digits/],
  ['a cluster in upper case', { cluster: 'C1'.repeat(16) }, /^TypeError: .*'cluster'/],
  ['a cluster that is null', { cluster: null }, /^TypeError: .*'cluster'/],
  ['founders 0', { founders: 0 }, /^TypeError: .*'founders'/],
  ['founders above 64', { founders: 65 }, /^TypeError: .*'founders'/],
  ['an overwrite that is no boolean', { overwrite: 1 }, /^TypeError: .*'overwrite'/],
  ['a replaces that is no string', { replaces: 1 }, /^TypeError: .*'replaces'/],
  ['a replaces that is too long', { replaces: 'n'.repeat(65) }, /^TypeError: .*'replaces'/],
  ['a minConsensus of 0 with peers', { peers, minConsensus: 0 }, /^LEVEL_NOT_SUPPORTED: .*minConsensus.*consistency: 'strong'/],
  ['eventual consistency', { consistency: 'eventual' }, /^LEVEL_NOT_SUPPORTED: .*'consistency'/],
  ['another consistency', { consistency: 'weak' }, /^TypeError: .*'consistency'.*strong/],
  ['a consistency that is null', { consistency: null }, /^TypeError: .*'consistency'/],
  ['a minConsensus below 0', { minConsensus: -1 }, /^TypeError: .*'minConsensus'/],
  ['a minConsensus above 63', { minConsensus: 64 }, /^TypeError: .*'minConsensus'/],
  ['a minConsensus that is no integer', { minConsensus: 1.5 }, /^TypeError: .*'minConsensus'/],
  ['failAfter 0', { failAfter: 0 }, /^TypeError: .*'failAfter'.*Infinity/],
  ['failAfter -Infinity', { failAfter: -Infinity }, /^TypeError: .*'failAfter'/],
  ['failAfter NaN', { failAfter: NaN }, /^TypeError: .*'failAfter'/],
  ['a transport that is no function', { transport: {} }, /^TypeError: .*'transport'/],
  ['a secret that is too short', { secret: '0123456789abcde' }, /^TypeError: .*'secret'.*16 bytes/],
  ['a secret that is empty', { secret: '' }, /^TypeError: .*'secret'/],
  ['a secret of bytes that is too short', { secret: new Uint8Array(15) }, /^TypeError: .*'secret'/],
  ['a secret that is null', { secret: null }, /^TypeError: .*'secret'/],
  ['a secret that is no bytes', { secret: Array(16).fill(1) }, /^TypeError: .*'secret'/],
  ['another durability', { durability: 'none' }, /^TypeError: .*'durability'.*disk, memory/],
  ['a durability that is a boolean', { durability: true }, /^TypeError: .*'durability'/],
  ['other reads', { reads: 'eventual' }, /^TypeError: .*'reads'.*consistent, local/],
  ['a name that is no string', { name: 7 }, /^TypeError: .*'name'/],
  ['a name that is too long', { name: 'n'.repeat(65) }, /^TypeError: .*'name'/],
  ['writeTimeoutMs 0', { writeTimeoutMs: 0 }, /^TypeError: .*'writeTimeoutMs'/],
  ['writeTimeoutMs Infinity', { writeTimeoutMs: Infinity }, /^TypeError: .*'writeTimeoutMs'/],
  ['readTimeoutMs beyond what a timer can', { readTimeoutMs: 2 ** 31 }, /^TypeError: .*'readTimeoutMs'/],
  ['failureTimeoutMs below 10', { failureTimeoutMs: 9 }, /^TypeError: .*'failureTimeoutMs'/],
  ['queueMax 0', { queueMax: 0 }, /^TypeError: .*'queueMax'/],
  ['queueBytesMax 0', { queueBytesMax: 0 }, /^TypeError: .*'queueBytesMax'/],
  ['writeBytesMax above 24 MiB', { writeBytesMax: 24 * 2 ** 20 + 1 }, /^TypeError: .*'writeBytesMax'/],
  ['valueBytesMax 0', { valueBytesMax: 0 }, /^TypeError: .*'valueBytesMax'/],
  ['valueBytesMax above 24 MiB', { valueBytesMax: 24 * 2 ** 20 + 1 }, /^TypeError: .*'valueBytesMax'/],
  ['keyBytesMax above 1 MiB', { keyBytesMax: 2 ** 20 + 1 }, /^TypeError: .*'keyBytesMax'/],
  ['logBytesMax below 64 KiB', { logBytesMax: 2 ** 16 - 1 }, /^TypeError: .*'logBytesMax'/],
  ['logBytesMax above 2 ** 50', { logBytesMax: 2 ** 50 + 1 }, /^TypeError: .*'logBytesMax'/],
  ['logBytesMax Infinity', { logBytesMax: Infinity }, /^TypeError: .*'logBytesMax'/]
]

test('wrong options are refused by name, and leave the database as it was', { timeout }, async (t) => {
  const db = new MemoryLevel()
  await db.open()
  const before = Reflect.ownKeys(db)
  for (const [what, options, error] of wrong) {
    t.match(thrown(() => Replicator(db, options as ReplicatorOptions)), error, what)
  }
  t.deepEqual(Reflect.ownKeys(db), before)
  await db.close()
})

test('right options at their limits', { timeout }, async (t) => {
  const right: ReplicatorOptions[] = [
    {}, { port: 3000 }, { host, port: 65_535 }, { peers: [] }, { peers, minConsensus: 1 }, { peers, minConsensus: 2 }, { peers, minConsensus: 63 },
    { minConsensus: 0 }, { minConsensus: 0, peers: [] }, { peers, minConsensus: 0, consistency: 'strong' }, { consistency: 'strong' },
    { role: 'member' }, { role: 'witness', peers }, { coordinator: 'fixed' }, { coordinator: 'auto' }, { cluster: 'c1'.repeat(16), peers },
    { peers, founders: 1 }, { peers, founders: 64 }, { peers, overwrite: true }, { peers, replaces: 'n'.repeat(64) },
    { logBytesMax: 2 ** 16 }, { logBytesMax: 2 ** 50 },
    { secret: '0123456789abcdef' }, { secret: 'üüüüüüüü' }, { secret: new Uint8Array(16) }, { secret: Buffer.alloc(1000) },
    { failAfter: 1 }, { failAfter: Infinity }, { durability: 'memory' }, { reads: 'local' }, { name: 'n'.repeat(64) },
    { writeBytesMax: 64, keyBytesMax: 1, valueBytesMax: 1, queueMax: 1, queueBytesMax: 1 },
    { writeBytesMax: 24 * 2 ** 20, keyBytesMax: 2 ** 20, writeTimeoutMs: 2 ** 31 - 1, readTimeoutMs: 2 ** 31 - 1, failureTimeoutMs: 10 },
    {
      host: undefined,
      port: undefined,
      peers: undefined,
      minConsensus: undefined,
      consistency: undefined,
      failAfter: undefined,
      transport: undefined,
      secret: undefined,
      durability: undefined,
      reads: undefined,
      logBytesMax: undefined,
      name: undefined,
      role: undefined,
      cluster: undefined,
      founders: undefined,
      overwrite: undefined,
      replaces: undefined,
      coordinator: undefined
    },
    // Its own address and repetitions are no peers, and so need no consensus.
    { host, port: 3000, peers: [{ host, port: 3000 }, ...peers, ...peers], minConsensus: 2 },
    { host, port: 3000, peers: [{ host, port: 3000 }], minConsensus: 0 }
  ]
  for (const options of right) {
    const db = new MemoryLevel()
    const replicator = Replicator(db, options)
    await replicator.close()
    t.equal(replicator.status, 'closed')
    await db.close()
  }
})

test('options that are limits have limits', { timeout }, async (t) => {
  for (const [name, { min, max }] of Object.entries<OptionLimit>(optionLimits)) {
    for (const edge of [min, max]) t.equal(readOptions({ [name]: edge })[name as keyof typeof optionLimits], edge, `${name}: ${edge}`)
    for (const beyond of [min - 1, max + 1, min + 0.5, NaN, String(min), null]) {
      t.match(thrown(() => readOptions({ [name]: beyond })), new RegExp(`^TypeError: .*'${name}' must be an integer from ${min} to ${max}`), `${name}: ${String(beyond)}`)
    }
  }
  t.equal(readOptions({ failAfter: Infinity }).failAfter, Infinity)
  t.equal(readOptions({ writeBytesMax: 1000 }).valueBytesMax, 1000, 'a value is as large as a write, unless it is said')
  t.equal(readOptions({ writeBytesMax: 1000, valueBytesMax: 10 }).valueBytesMax, 10)
})

test('names and lists at their limits', { timeout }, async (t) => {
  const many = Array.from({ length: 63 }, (_, i) => ({ host, port: i + 1 }))
  t.equal(readOptions({ peers: many }).peers.length, 63)
  t.equal(readOptions({ peers: [...many, ...many] }).peers.length, 63, 'repetitions are none more')
  t.equal(readOptions({ host: 'h'.repeat(255), port: 1 }).address?.host.length, 255)
  t.equal(readOptions({ peers: [{ srv: 'n'.repeat(253) }] }).discovery.length, 1)
})

test('who is a founder', { timeout }, async (t) => {
  const names = [{ dns: 'db.local', port: 3000 }, { srv: '_db._tcp.local' }] as const
  const read = (options: ReplicatorOptions) => {
    const { peers, discovery, mayFound, founders } = readOptions(options)
    return { peers, discovery, mayFound, founders }
  }
  t.deepEqual(read({}), { peers: [], discovery: [], mayFound: true, founders: 0 })
  t.deepEqual(read({ peers }), { peers, discovery: [], mayFound: true, founders: 0 })
  t.deepEqual(read({ peers: [...names, ...peers] }), { peers, discovery: names, mayFound: false, founders: 0 }, 'nobody knows how many are behind a name')
  t.deepEqual(read({ peers: names, founders: 3 }), { peers: [], discovery: names, mayFound: true, founders: 3 })
  t.equal(read({ peers, founders: 3, cluster: 'c1'.repeat(16) }).mayFound, false, 'it joins that one, or none')
})

test('what is not a database', { timeout }, async (t) => {
  for (const db of [undefined, null, 'db', 1, {}, [], () => {}, new Map(), { get () {}, put () {} }]) {
    t.match(thrown(() => Replicator(db as unknown as MemoryLevel)), /^TypeError: .*'db'/)
  }
})

test('a database that keeps only text', { timeout }, async (t) => {
  const db = new MemoryLevel({ storeEncoding: 'utf8' })
  t.match(thrown(() => Replicator(db)), /^LEVEL_NOT_SUPPORTED: /)
  t.match(thrown(() => Replicator(db.sublevel('sub'))), /^LEVEL_NOT_SUPPORTED: /, 'nor a sublevel of it')
  await db.put('a', '1')
  t.equal(await db.get('a'), '1', 'it works as before')
  await db.close()
})

test('databases that keep views of bytes', { timeout }, async (t) => {
  const db = new MemoryLevel({ storeEncoding: 'view' })
  const replicator = Replicator(db)
  await db.put('a', '1')
  t.equal(await db.get('a'), '1')
  await replicator.close()
  await db.close()
})

test('one database has one replicator, until it is released', { timeout }, async (t) => {
  const db = new MemoryLevel()
  const first = Replicator(db)
  t.match(thrown(() => Replicator(db)), /^LEVEL_ALREADY_WRAPPED: /)
  await first.close()
  t.match(thrown(() => Replicator(db)), /^LEVEL_ALREADY_WRAPPED: /, 'closing is not releasing')
  await first.release()
  const second = Replicator(db)
  await db.put('a', '1')
  t.equal(await db.get('a'), '1', 'allowed again')
  await second.release()
  await db.close()
})

test('nothing is wrapped within what is wrapped', { timeout }, async (t) => {
  const db = new MemoryLevel()
  const [sub, twin, other] = [db.sublevel('sub'), db.sublevel('sub'), db.sublevel('other')]
  const inner = sub.sublevel('inner')
  const pairs = [
    ['root and sublevel', db, sub],
    ['sublevel and root', sub, db],
    ['sublevel and the one around it', inner, sub],
    ['sublevel and the one within it', sub, inner],
    ['root and a sublevel of a sublevel', db, inner],
    ['two instances of one sublevel', sub, twin]
  ] as const
  for (const [what, one, two] of pairs) {
    const replicator = Replicator(one as MemoryLevel)
    t.match(thrown(() => Replicator(two as MemoryLevel)), /^LEVEL_ALREADY_WRAPPED: /, what)
    await replicator.release({ purge: true })
    const again = Replicator(two as MemoryLevel)
    await again.ready()
    t.equal(again.status, 'ready', 'allowed when that is released')
    await again.release({ purge: true })
  }

  const [one, two] = [Replicator(sub), Replicator(other)]
  await Promise.all([sub.put('a', '1'), other.put('a', '2')])
  t.deepEqual([await sub.get('a'), await other.get('a')], ['1', '2'], 'sublevels side by side are no matter')
  t.notEqual(one.stats().cluster, two.stats().cluster)
  await Promise.all([one.release(), two.release()])
  await db.close()
})
