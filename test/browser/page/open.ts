import { BrowserLevel } from 'browser-level'
import { MemoryLevel } from 'memory-level'
import type { ReplicatorOptions } from 'quorum-level'
import { messagePortTransport } from 'quorum-level/transport/message-port'
import { webSocketTransport } from 'quorum-level/transport/websocket'
import { Member } from './member.ts'

export interface Configuration {
  store: 'memory' | 'indexeddb'
  /** The name of the database in IndexedDB. */
  location: string
  options: Omit<ReplicatorOptions, 'transport' | 'secret'>
  /** Servers are dialled by WebSocket, all other hosts by the name that they have here. Without, there is no transport. */
  isOnline: boolean
}

/** Gives a port whose other end the node of that name gets. */
export type Connect = (name: string) => MessagePort

export function openMember ({ store, location, options, isOnline }: Configuration, connect: Connect): Member {
  const overWebSocket = webSocketTransport()
  const overPort = messagePortTransport((_port, host) => connect(host))
  const db = store === 'memory' ? new MemoryLevel<string, string>() : new BrowserLevel<string, string>(location)
  return new Member(db, {
    ...options,
    ...(isOnline ? { transport: (port, host) => host === '127.0.0.1' ? overWebSocket(port, host) : overPort(port, host) } : {})
  })
}

/** What is kept in IndexedDB, read without a replicator. */
export async function peek (location: string, key: string): Promise<string | null> {
  const db = new BrowserLevel<string, string>(location)
  try {
    return await db.get(key) ?? null
  } finally {
    await db.close()
  }
}
