import type { Address } from './net/network.ts'
import { sameAddress } from './options.ts'

/** More addresses than a cluster has; a bound on what peers can make us dial. */
const ADDRESSES_MAX = 64

interface Entry {
  readonly address: Address
  /** Given by the user, as opposed to heard from a peer. */
  configured: boolean
  /** Which member answered there; null as long as none has. */
  id: string | null
  /** `failAfter` attempts in a row have failed since the last success. */
  failed: boolean
  /** What went wrong there last, since the last success. */
  error: string
}

/** The addresses of a cluster that a node knows, and who answers there. */
export class PeerBook {
  readonly #entries = new Map<string, Entry>()

  /** Returns true if the address is new. */
  add (address: Address, configured: boolean): boolean {
    const key = keyOf(address)
    const known = this.#entries.get(key)
    if (known !== undefined) {
      if (configured) known.configured = true
      return false
    }
    if (this.#entries.size >= ADDRESSES_MAX) {
      if (!configured) return false
      // What was only heard makes room for what somebody asks for.
      const heard = [...this.#entries].find(([, entry]) => !entry.configured)
      if (heard === undefined) throw new RangeError(`A node can have at most ${ADDRESSES_MAX} peers`)
      this.#entries.delete(heard[0])
    }
    this.#entries.set(key, { address, configured, id: null, failed: false, error: '' })
    return true
  }

  get addresses (): Address[] {
    return [...this.#entries.values()].map(({ address }) => address)
  }

  /** Somebody answered. Returns true if that is news. */
  resolve (address: Address, id: string): boolean {
    const known = this.#entries.get(keyOf(address))
    if (known === undefined) return false
    known.failed = false
    known.error = ''
    if (known.id === id) return false
    known.id = id
    return true
  }

  /** It need not be us who dialled: whoever is there has not failed. */
  onConnected (id: string): void {
    for (const entry of this.#entries.values()) if (entry.id === id) Object.assign(entry, { failed: false, error: '' })
  }

  addressOf (id: string): Address | null {
    for (const entry of this.#entries.values()) if (entry.id === id) return entry.address
    return null
  }

  onError (address: Address, error: Error): void {
    const known = this.#entries.get(keyOf(address))
    if (known !== undefined) known.error = (error as { code?: string }).code ?? error.message
  }

  missing (self: string, isConnected: (id: string) => boolean): string[] {
    const missing: string[] = []
    for (const [key, { configured, id, error }] of this.#entries) {
      if (!configured || id === self || (id !== null && isConnected(id))) continue
      missing.push(error === '' ? key : `${key} (${error})`)
    }
    return missing
  }

  fail (address: Address): void {
    const known = this.#entries.get(keyOf(address))
    if (known !== undefined) known.failed = true
  }

  /** What the core has to know of the configured addresses. */
  configuredBut (self: string): { required: string[], unresolved: number } {
    const required = new Set<string>()
    let unresolved = 0
    for (const { configured, id } of this.#entries.values()) {
      if (!configured) continue
      if (id === null) unresolved++
      else if (id !== self) required.add(id)
    }
    return { required: [...required].sort(), unresolved }
  }

  /** Behind how many configured addresses there is somebody, or may yet be: those that have not failed for good. */
  reachable (self: string, isConnected: (id: string) => boolean): { reachable: number, failed: number } {
    const count = { reachable: 0, failed: 0 }
    for (const { configured, id, failed } of this.#entries.values()) {
      if (!configured || id === self) continue
      if (failed && (id === null || !isConnected(id))) count.failed++
      else count.reachable++
    }
    return count
  }
}

/** Each address once, and no more than a message may hold. */
export function distinct (addresses: Iterable<Address | null>): Address[] {
  const result: Address[] = []
  for (const address of addresses) {
    if (address !== null && !result.some(other => sameAddress(other, address))) result.push(address)
  }
  return result.slice(0, ADDRESSES_MAX)
}

function keyOf (address: Address): string {
  return `${address.host}:${address.port}`
}
