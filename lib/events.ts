import type { ReplicatorError } from './errors.ts'

/** The events of a replicator, with the arguments of their listeners. */
export interface ReplicatorEvents {
  /** Writes commit from here on: enough peers are connected and in the view. */
  ready: []
  /** Writes wait from here on. */
  notready: []
  /** A peer is connected, whoever dialled. Once per connection. */
  connect: [host: string, port: number]
  disconnect: [host: string, port: number]
  /** Trying again to connect. */
  reconnect: [host: string, port: number]
  /** `failAfter` attempts in a row have failed. Dialling goes on. */
  fail: [host: string, port: number]
  /** Something went wrong with a connection, or with this node. Only emitted where somebody listens. */
  error: [error: Error | ReplicatorError]
  /** The replicator has closed. */
  closed: []
}
