import { inspect } from 'node:util'
import test from 'tape'
import type { Test } from 'tape'
import type { ReplicatorError, ReplicatorOptions } from '../../index.ts'
import type { LocalNode } from '../support/cluster/in-process.ts'
import { createMesh, createNode, freeAddresses } from '../support/cluster/in-process.ts'

const timeout = 120_000
const secret = 'a secret of some length'

/** Resolves with the next error of this code. */
function errorOf ({ replicator }: LocalNode<string, string>, code: string): Promise<ReplicatorError> {
  return new Promise((resolve) => {
    const onError = (error: Error): void => {
      if ((error as ReplicatorError).code !== code) return
      replicator.off('error', onError)
      resolve(error as ReplicatorError)
    }
    replicator.on('error', onError)
  })
}

async function joiner (t: Test, member: LocalNode<string, string>, replicator: ReplicatorOptions): Promise<LocalNode<string, string>> {
  const [address] = await freeAddresses(1)
  if (address === undefined) throw new RangeError('no free address')
  return await createNode(t, { address, peers: [member.address], replicator: { minConsensus: 1, ...replicator } })
}

test('secret: nodes that share one replicate, and nobody else gets in', { timeout }, async (t) => {
  const nodes = await createMesh(t, 3, { replicator: { secret, minConsensus: 1 } })
  await Promise.all(nodes.map(({ replicator }) => replicator.ready()))
  for (const [i, { db }] of nodes.entries()) await db.put(`key ${i}`, String(i))
  for (const { db } of nodes) t.deepEqual(await db.getMany(['key 0', 'key 1', 'key 2']), ['0', '1', '2'])

  const [first] = nodes as [LocalNode<string, string>]
  for (const [what, wrong] of [['another secret', { secret: `${secret}.` }], ['no secret', {}]] as const) {
    const noticed = errorOf(first, 'LEVEL_UNAUTHORIZED')
    const stranger = await joiner(t, first, wrong)
    const error = await errorOf(stranger, 'LEVEL_UNAUTHORIZED')
    t.match(error.message, new RegExp(`${first.address.host}:${first.address.port}.*option 'secret'`), what)
    t.match((await noticed).message, /option 'secret'/, 'the member tells it, too')
    t.match(stranger.replicator.stats().waitingFor, /LEVEL_UNAUTHORIZED/)
    t.equal(stranger.replicator.status, 'notready')
    const { id } = stranger.replicator.stats()
    for (const { replicator } of nodes) t.ok(replicator.stats().peers.every((peer) => peer.id !== id), 'no member knows of it')
    await stranger.replicator.close()
  }

  // As bytes it is the same.
  const fourth = await joiner(t, first, { secret: new TextEncoder().encode(secret) })
  await fourth.replicator.ready()
  t.equal(await fourth.db.get('key 0'), '0', 'one that has it joins')
  await fourth.db.put('key 3', '3')
  for (const { db } of nodes) t.equal(await db.get('key 3'), '3')
  t.equal(first.replicator.stats().members.length, 4)
})

test('secret: it is nowhere to be seen', { timeout }, async (t) => {
  const [node] = await createMesh(t, 1, { replicator: { secret } }) as [LocalNode<string, string>]
  await node.replicator.ready()
  t.notOk(JSON.stringify(node.replicator.stats()).includes(secret))
  const shown = inspect(node.replicator, { depth: Infinity, showHidden: true })
  t.notOk(shown.includes(secret))
})
