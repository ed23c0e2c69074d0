import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { DatabaseOptions } from 'classic-level'
import type { Test } from 'tape'
import { Replicator } from '../../../index.ts'
import { freePorts } from './free-ports.ts'

type ReplicatorOptions = NonNullable<Parameters<typeof Replicator>[1]>
type ReplicatorInstance = ReturnType<typeof Replicator>

export interface Address {
  host: string
  port: number
}

export interface LocalNode<K, V> {
  db: ClassicLevel<K, V>
  replicator: ReplicatorInstance
  address: Address
  /** Begins to accept connections of peers. Called by `startAll` unless told otherwise. */
  listen (): Promise<void>
}

export interface NodeOptions<K, V> {
  address: Address
  /** The addresses that it is told. */
  peers: readonly Address[]
  replicator?: Partial<ReplicatorOptions>
  database?: DatabaseOptions<K, V>
}

/** Addresses on this machine that are free now. */
export async function freeAddresses (count: number): Promise<Address[]> {
  return (await freePorts(count)).map((port) => ({ host: '127.0.0.1', port }))
}

/** A node in this process that lives as long as the test. It does not accept connections yet. */
export async function createNode<K = string, V = string> (t: Test, options: NodeOptions<K, V>): Promise<LocalNode<K, V>> {
  const location = await mkdtemp(join(tmpdir(), 'quorum-level-'))
  const db = new ClassicLevel<K, V>(location, options.database)
  const { address, peers } = options
  const replicator = Replicator(db, { ...address, peers: [...peers], ...options.replicator })
  let listening: Promise<unknown> = Promise.resolve()

  t.teardown(async () => {
    await listening.catch(() => {})
    await replicator.close()
    await db.close()
    await rm(location, { recursive: true, force: true })
  })

  return {
    db,
    replicator,
    address,
    async listen () {
      const started = replicator.listen(address.port)
      listening = started
      await started
    }
  }
}

/** Nodes that all know each other, listening. They need not be ready when this resolves: writes wait for that. */
export async function createMesh<K = string, V = string> (
  t: Test, count: number, options: Pick<NodeOptions<K, V>, 'replicator' | 'database'> = {}
): Promise<Array<LocalNode<K, V>>> {
  const addresses = await freeAddresses(count)
  const nodes = await Promise.all(addresses.map((address) => {
    return createNode<K, V>(t, { address, peers: addresses.filter((peer) => peer !== address), ...options })
  }))
  await Promise.all(nodes.map((node) => node.listen()))
  return nodes
}

/** Resolves at the next event of this name. Unlike `once` it does not make errors of connections somebody's concern. */
export async function emitted (replicator: ReplicatorInstance, event: 'ready' | 'notready' | 'connect' | 'fail' | 'closed'): Promise<void> {
  await new Promise<void>((resolve) => { replicator.once(event, () => { resolve() }) })
}
