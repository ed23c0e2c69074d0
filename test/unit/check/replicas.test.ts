import test from 'tape'
import { checkReplicas } from '../../support/check/replicas.ts'
import type { Replica } from '../../support/check/replicas.ts'
import { messageOf } from './history-builder.ts'

const timeout = 20_000

function replica (name: string, entries: Record<string, string>, log: Record<number, string> = {}): Replica {
  return {
    name,
    entries: Object.entries(entries).map(([key, value]) => [bytes(key), bytes(value)]),
    log: Object.entries(log).map(([position, record]) => [Number(position), bytes(record)])
  }
}

function bytes (text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

test('replicas: identical ones', { timeout }, async function (t) {
  t.equal(checkReplicas([]).verdict, 'ok')
  t.equal(checkReplicas([replica('a', { x: '1' })]).verdict, 'ok')
  t.equal(checkReplicas([replica('a', { x: '1' }, { 1: 'r' }), replica('b', { x: '1' }, { 1: 'r' })]).verdict, 'ok')
  t.equal(checkReplicas([replica('a', {}, { 1: 'r', 2: 's' }), replica('b', {}, { 2: 's' })]).verdict, 'ok', 'one log is truncated')
})

test('replicas: the first difference of each', { timeout }, async function (t) {
  const a = replica('a', { x: '1', y: '2' }, { 1: 'r', 2: 's' })
  t.equal(messageOf(checkReplicas([a, replica('b', { x: '1', y: '3' }, { 1: 'r', 2: 's' })])),
    'different-replicas: Data differ at entry 1: a has 0x79 = 0x32, b has 0x79 = 0x33')
  t.equal(messageOf(checkReplicas([a, replica('b', { x: '1' })])),
    'different-replicas: Data differ at entry 1: a has 0x79 = 0x32, b has nothing')
  t.equal(messageOf(checkReplicas([a, replica('b', { x: '1', y: '2', z: '3' })])),
    'different-replicas: Data differ at entry 2: a has nothing, b has 0x7a = 0x33')
  t.equal(messageOf(checkReplicas([a, replica('b', { x: '1', y: '2' }, { 1: 'r', 2: 't' })])),
    'different-replicas: Logs differ at position 2: a has 0x73, b has 0x74')
  t.equal(messageOf(checkReplicas([a, replica('b', { x: '1', y: '2' }, { 1: 'r' })])),
    'different-replicas: Logs differ at position 2: a has 0x73, b has nothing')

  const three = checkReplicas([a, replica('b', {}), replica('c', { x: '1', y: '2' }, { 1: 'q' })])
  t.equal(three.verdict === 'violation' && three.problems.length, 2, 'every replica is compared')
})
