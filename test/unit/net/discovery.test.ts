import { createSocket } from 'node:dgram'
import { Resolver as DnsResolver } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import type { Environment, Timer } from '../../../lib/env.ts'
import { realEnvironment } from '../../../lib/env.ts'
import { codes, ReplicatorError } from '../../../lib/errors.ts'
import type { PeerName } from '../../../lib/net/discovery.ts'
import { Discovery } from '../../../lib/net/discovery.ts'
import type { Address } from '../../../lib/net/network.ts'
import type { Resolver } from '../../../lib/net/resolver.ts'
import { systemResolver } from '../../../lib/net/resolver.ts'

const timeout = 30_000

/** Time passes when the test says so. */
class Clock implements Environment {
  #now = 0
  #timers: Array<{ at: number, fn: () => void }> = []

  now (): number { return this.#now }
  wall (): number { return this.#now }
  nextTurn (fn: () => void): void { setImmediate(fn) }
  randomBytes (length: number): Uint8Array { return new Uint8Array(length) }

  setTimer (fn: () => void, delayMs: number): Timer {
    const timer = { at: this.#now + delayMs, fn }
    this.#timers.push(timer)
    return { cancel: () => { this.#timers = this.#timers.filter(other => other !== timer) } }
  }

  /** When the next timer is due; null if there is none. */
  get next (): number | null {
    return this.#timers.length === 0 ? null : Math.min(...this.#timers.map(({ at }) => at))
  }

  async advance (ms: number): Promise<void> {
    const end = this.#now + ms
    for (let at = this.next; at !== null && at <= end; at = this.next) {
      this.#now = at
      const due = this.#timers.filter(timer => timer.at === at)
      this.#timers = this.#timers.filter(timer => timer.at !== at)
      for (const { fn } of due) fn()
      await turns()
    }
    this.#now = end
  }
}

/** A resolver that answers what it is told to, in a few turns. */
class FakeResolver implements Resolver {
  hosts: Record<string, string[] | Error> = {}
  srv: Record<string, Array<{ name: string, port: number }> | Error> = {}
  asked: string[] = []

  async addresses (name: string): Promise<string[]> {
    this.asked.push(name)
    return answer(this.hosts[name])
  }

  async services (name: string): Promise<Array<{ name: string, port: number }>> {
    this.asked.push(name)
    return answer(this.srv[name])
  }
}

function answer<T> (value: T | Error | undefined): T {
  if (value === undefined) throw new Error('ENOTFOUND')
  if (value instanceof Error) throw value
  return value
}

async function turns (): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>(resolve => { setImmediate(resolve) })
}

function setUp (t: Test, names: readonly PeerName[]) {
  const clock = new Clock()
  const resolver = new FakeResolver()
  const found: string[][] = []
  const errors: Error[] = []
  const discovery = new Discovery(clock, resolver, names, {
    onFound: addresses => { found.push(addresses.map(textOf)) },
    onError: error => { errors.push(error) }
  })
  t.teardown(() => { discovery.stop() })
  return { clock, resolver, found, errors, discovery }
}

function textOf ({ host, port }: Address): string {
  return `${host}:${port}`
}

test('discovery: names are resolved at the start, and every 30 s', { timeout }, async (t) => {
  const { clock, resolver, found, errors, discovery } = setUp(t, [{ dns: 'db.local', port: 3000 }, { srv: '_db._tcp.local' }])
  resolver.hosts['db.local'] = ['10.0.0.1', 'fd00::1']
  resolver.srv['_db._tcp.local'] = [{ name: 'a.local', port: 3001 }, { name: 'b.local', port: 3002 }]
  discovery.start()
  await turns()
  t.deepEqual(found, [['10.0.0.1:3000', 'fd00::1:3000', 'a.local:3001', 'b.local:3002']])

  await clock.advance(29_999)
  t.equal(found.length, 1)
  resolver.hosts['db.local'] = ['10.0.0.2']
  await clock.advance(1)
  t.deepEqual(found[1], ['10.0.0.2:3000', 'a.local:3001', 'b.local:3002'])
  t.deepEqual(errors, [])

  discovery.stop()
  t.equal(clock.next, null, 'nothing is left behind')
  resolver.asked = []
  await clock.advance(100_000)
  t.deepEqual(resolver.asked, [])
})

test('discovery: names are resolved again soon, but not too often, when an address fails', { timeout }, async (t) => {
  const { clock, resolver, found, discovery } = setUp(t, [{ dns: 'db.local', port: 3000 }])
  resolver.hosts['db.local'] = ['10.0.0.1']
  discovery.refresh()
  t.equal(clock.next, null, 'not before the start')
  discovery.start()
  discovery.refresh()
  await turns()
  t.deepEqual([found.length, clock.next], [1, 30_000], 'not while it is being resolved')

  for (let i = 0; i < 10; i++) {
    discovery.refresh()
    await clock.advance(10)
  }
  t.equal(found.length, 1)
  await clock.advance(900)
  t.equal(found.length, 2, 'a second after the last time')
  await clock.advance(10_000)
  discovery.refresh()
  await clock.advance(0)
  t.equal(found.length, 3, 'at once, when the last time is long past')
  await clock.advance(30_000)
  t.equal(found.length, 4)
})

test('discovery: what fails is told, and tried again ever more rarely; what was found before counts', { timeout }, async (t) => {
  const { clock, resolver, found, errors, discovery } = setUp(t, [{ dns: 'db.local', port: 3000 }, { srv: '_db._tcp.local' }])
  resolver.hosts['db.local'] = ['10.0.0.1']
  discovery.start()
  await turns()
  t.deepEqual(found, [['10.0.0.1:3000']])
  t.equal(errors.length, 1)
  t.equal((errors[0] as ReplicatorError).code, codes.connectionLost)
  t.match(errors[0]?.message ?? '', /_db\._tcp\.local.*ENOTFOUND/)

  const waits: number[] = []
  for (let i = 0; i < 7; i++) {
    const wait = (clock.next ?? 0) - clock.now()
    waits.push(wait)
    await clock.advance(wait)
  }
  t.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])

  resolver.srv['_db._tcp.local'] = [{ name: 'b.local', port: 3002 }]
  resolver.hosts['db.local'] = new Error('ESERVFAIL')
  await clock.advance(30_000)
  t.deepEqual(found[found.length - 1], ['10.0.0.1:3000', 'b.local:3002'])
  resolver.hosts['db.local'] = []
  await clock.advance(30_000)
  t.deepEqual(found[found.length - 1], ['b.local:3002'], 'a name that leads nowhere is no failure')
})

test('discovery: what cannot be dialled is left out', { timeout }, async (t) => {
  const { resolver, found, errors, discovery } = setUp(t, [{ srv: 'db' }])
  resolver.srv['db'] = [{ name: '', port: 1 }, { name: 'x'.repeat(256), port: 1 }, { name: 'a', port: 0 }, { name: 'b', port: 70_000 }, { name: 'c', port: 1 }]
  discovery.start()
  await turns()
  t.deepEqual([found, errors], [[['c:1']], []])
})

test('discovery: where names cannot be looked up, it is said once', { timeout }, async (t) => {
  const { clock, resolver, found, errors, discovery } = setUp(t, [{ srv: 'a' }, { srv: 'b' }])
  const error = new ReplicatorError(codes.notSupported, 'no names here')
  Object.assign(resolver.srv, { a: error, b: error })
  discovery.start()
  await turns()
  t.deepEqual(errors, [error])
  t.deepEqual([found, clock.next], [[], null])
})

test('discovery: without names, nothing happens', { timeout }, async (t) => {
  const { clock, found, discovery } = setUp(t, [])
  discovery.start()
  await turns()
  t.deepEqual([found, clock.next], [[], null])
})

test('discovery: the resolver of the system', { timeout }, async (t) => {
  const addresses = await systemResolver.addresses('localhost')
  t.ok(addresses.length > 0 && addresses.every(address => address === '127.0.0.1' || address === '::1'), addresses.join())
})

/** Answers questions over UDP, as far as these tests ask any. */
async function nameServer (t: Test, records: Record<string, Buffer[]>): Promise<number> {
  const socket = createSocket('udp4')
  t.teardown(() => { socket.close() })
  socket.on('message', (query, { address, port }) => {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] as number; length > 0; length = query[at] as number) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += length + 1
    }
    const type = query.readUInt16BE(at + 1)
    const data = records[`${labels.join('.')} ${type}`] ?? []
    const header = Buffer.from(query.subarray(0, 12))
    // An authoritative answer; the name does not exist if there is nothing of any type.
    header.writeUInt16BE(data.length > 0 || Object.keys(records).some(key => key.startsWith(`${labels.join('.')} `)) ? 0x8400 : 0x8403, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(data.length, 6)
    header.writeUInt32BE(0, 8)
    const answers = data.map(record => {
      const fixed = Buffer.alloc(12)
      // The name is that of the question.
      fixed.writeUInt16BE(0xc00c, 0)
      fixed.writeUInt16BE(type, 2)
      fixed.writeUInt16BE(1, 4)
      fixed.writeUInt16BE(record.byteLength, 10)
      return Buffer.concat([fixed, record])
    })
    socket.send(Buffer.concat([header, query.subarray(12, at + 5), ...answers]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return (socket.address() as AddressInfo).port
}

function srvRecord (port: number, target: string): Buffer {
  const fixed = Buffer.alloc(6)
  fixed.writeUInt16BE(port, 4)
  const labels = target.split('.').map(label => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]))
  return Buffer.concat([fixed, ...labels, Buffer.of(0)])
}

test('discovery: by a real name server', { timeout }, async (t) => {
  const [A, SRV] = [1, 33]
  const port = await nameServer(t, {
    [`db.example.test ${A}`]: [Buffer.of(127, 0, 0, 2), Buffer.of(127, 0, 0, 3)],
    [`_db._tcp.example.test ${SRV}`]: [srvRecord(4001, 'one.example.test'), srvRecord(4002, 'two.example.test')]
  })
  const dns = new DnsResolver({ timeout: 5000, tries: 4 })
  dns.setServers([`127.0.0.1:${port}`])
  const resolver: Resolver = {
    addresses: async name => await dns.resolve4(name),
    services: async name => await dns.resolveSrv(name)
  }

  const errors: Error[] = []
  const found = await new Promise<readonly Address[]>(resolve => {
    const names = [{ dns: 'db.example.test', port: 3000 }, { srv: '_db._tcp.example.test' }, { srv: '_nothing._tcp.example.test' }]
    const discovery = new Discovery(realEnvironment, resolver, names, { onFound: resolve, onError: error => { errors.push(error) } })
    t.teardown(() => { discovery.stop() })
    discovery.start()
  })
  t.deepEqual(found.map(textOf).sort(), ['127.0.0.2:3000', '127.0.0.3:3000', 'one.example.test:4001', 'two.example.test:4002'])
  t.equal(errors.length, 1)
  t.match(errors[0]?.message ?? '', /_nothing\._tcp\.example\.test.*ENOTFOUND/)
})
