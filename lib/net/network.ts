import type { ReplicatorError, ErrorCode } from '../errors.ts'
import type { Address, Identity } from '../wire/identity.ts'

export type { Address, Identity }

/** A live link to one peer, after the handshake. At most one per peer exists at a time. */
export interface Session {
  readonly peer: Identity
  /** The address under which the peer was dialled or says it can be dialled, for events. */
  readonly address: Address | null
  /** True if this side dialled. */
  readonly outbound: boolean
  /**
   * Sends one frame, a non-empty body of at most `frameBytesMax` bytes that is not changed afterwards.
   * Returns false when the transport wants a pause: `onDrain` follows. A frame given meanwhile is
   * buffered all the same. Does nothing once the session is closed.
   */
  send (body: Uint8Array): boolean
  /** Closes the link. `onClose` follows, in a later turn or microtask, exactly once. */
  close (reason: ErrorCode): void
}

/** What the replicator gives to its network. Calls come in turns of their own, never re-entrantly from `send`. */
export interface NetworkHandler {
  /** How this node introduces itself now. Only called between start() and close(). */
  identify (): Identity
  /** Judges a peer that introduced itself. A code refuses it (and is told to it). */
  judge (peer: Identity): ErrorCode | null
  /**
   * A peer with another id refuses this node, which is told why. The connection ends, `onError` follows, and dialling goes on. `address`: where it was
   * dialled; null if it has dialled.
   */
  onRefused (peer: Identity, code: ErrorCode, address: Address | null): void
  onSession (session: Session): void
  /** How large a frame of this peer may be that begins now; no larger than `frameBytesMax` in any case. */
  frameBytesMaxOf (peer: Identity): number
  onFrame (session: Session, body: Uint8Array): void
  onDrain (session: Session): void
  /** The last call for this session. `error` says why. */
  onClose (session: Session, error: ReplicatorError): void
  /** Our own address, as a peer dialled it: for a node that was not told its host and port. */
  onDialledAs (address: Address): void
  onReconnect (address: Address, attempt: number, delayMs: number): void
  /** `failAfter` attempts in a row have failed. Dialling goes on. Called again only after a success in between. */
  onFail (address: Address): void
  /** An attempt to connect, or a connection, failed. Only for information. */
  onError (error: Error, address: Address | null): void
  /** An address answered: it belongs to the node with this id, which may be this one. Also when this link is then dropped. */
  onResolve (address: Address, id: string): void
}

/** The links of one node. Implemented over rpc-stream and reconnect-core, and by simulators. */
export interface Network {
  /** Starts dialling. Inbound connections before that are refused. */
  start (handler: NetworkHandler): void
  /** Keeps a connection to this address until close(). A second call with the same address does nothing. */
  dial (address: Address): void
  /** Dials it no more. A session that is there stays. */
  undial (address: Address): void
  /** Closes all links and dials no more. Resolves when every link is closed. Idempotent. */
  close (): Promise<void>
}
