import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { NetContext } from './context.ts'
import { LiveSession } from './live-session.ts'
import type { LiveSessionOptions } from './live-session.ts'
import { log } from './log.ts'
import type { Identity } from './network.ts'

/**
 * The live sessions, at most one for each peer.
 *
 * Both sides of two crossing connections must keep the same one. So of two nodes, the one with the smaller
 * id decides: it alone starts sessions, one at a time, and numbers them. The other follows what it is told,
 * unless it was told something later already: connections do not keep order among each other.
 */
export class SessionTable {
  readonly #sessions = new Map<string, LiveSession>()
  #order = 0

  get (id: string): LiveSession | undefined {
    return this.#sessions.get(id)
  }

  all (): LiveSession[] {
    return [...this.#sessions.values()]
  }

  /** True if we decide which connection to this peer is kept. */
  decides (ownId: string, peer: Identity): boolean {
    return ownId < peer.id
  }

  nextOrder (): number {
    return ++this.#order
  }

  /** Why there can be no new session with this peer, as far as this side may judge, or null. */
  conflict (ownId: string, peer: Identity): ErrorCode | null {
    const old = this.#sessions.get(peer.id)
    if (old === undefined || peer.start > old.peer.start) return null
    if (peer.start < old.peer.start) return codes.staleIdentity
    if (!this.decides(ownId, peer)) return null

    // If the old connection is dead and nobody has noticed, then the next try shall succeed.
    old.probe()
    return codes.duplicate
  }

  /** True if a session that the deciding peer started is older than the one that we have. */
  isOutdated (peer: Identity, order: number): boolean {
    const old = this.#sessions.get(peer.id)
    if (old === undefined || peer.start > old.peer.start) return false
    return peer.start < old.peer.start || order <= old.order
  }

  /** Starts a session, in place of an old one. Null if the link was closed by then. */
  start (context: NetContext, options: LiveSessionOptions): LiveSession | null {
    const { peer, link } = options
    const old = this.#sessions.get(peer.id)
    if (old !== undefined) {
      old.end(new ReplicatorError(codes.connectionLost, peer.start > old.peer.start
        ? `peer ${peer.id.slice(0, 8)} was restarted`
        : `connection to peer ${peer.id.slice(0, 8)} was replaced by a newer one`))
      old.tellClose()
    }
    if (link.error !== null) return null

    const session = new LiveSession(context, options)
    this.#sessions.set(peer.id, session)
    log('session with %s started (%s)', peer.id.slice(0, 8), options.outbound ? 'outbound' : 'inbound')
    context.handler.onSession(session)
    return session
  }

  remove (session: LiveSession): void {
    if (this.#sessions.get(session.peer.id) === session) this.#sessions.delete(session.peer.id)
  }
}
