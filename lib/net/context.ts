import type { Environment } from '../env.ts'
import type { ErrorCode } from '../errors.ts'
import type { Address, Identity, NetworkHandler } from './network.ts'
import type { Secret } from './secret.ts'
import type { SessionTable } from './session-table.ts'

export interface NetLimits {
  frameBytesMax: number
  heartbeatMs: number
  failureTimeoutMs: number
  handshakeTimeoutMs: number
  dialTimeoutMs: number
  handshakesMax: number
  reconnectMinMs: number
  reconnectMaxMs: number
  failAfter: number
}

/** What the parts of one running network share. */
export interface NetContext {
  readonly env: Environment
  readonly limits: NetLimits
  readonly handler: NetworkHandler
  readonly sessions: SessionTable
  /** Random bytes in hex that only this running network tells. */
  readonly instance: string
  /** What a peer has to show that it has, before anything else. Null: nothing. */
  readonly secret: Secret | null
  /** The handler's onError, as long as the network is not closed. */
  report (error: Error, address: Address | null): void
  /** The handler's onRefused, as long as the network is not closed. */
  refused (peer: Identity, code: ErrorCode, address: Address | null): void
}
