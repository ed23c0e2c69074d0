import { fixedLimits } from './limits.ts'
import type { Address } from './net/network.ts'
import { sameAddress } from './options.ts'

/** More addresses than a cluster has; a bound on what peers can make us dial. */
const ADDRESSES_MAX = fixedLimits.addresses.value

interface Entry {
  readonly address: Address
  /** Given by the user, as opposed to heard from a peer. */
  configured: boolean
  /** Whether names lead to it, or once did. */
  found: 'never' | 'before' | 'now'
  /** Whether it is dialled. One that a peer tells of itself while it is connected is not. */
  dialled: boolean
  /** Somebody of the cluster was there, now or in an earlier run. */
  met: boolean
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
  readonly #onForget: (address: Address) => void

  /** `onForget`: an address need not be dialled any more. */
  constructor (onForget: (address: Address) => void = () => {}) {
    this.#onForget = onForget
  }

  /** Returns true if the address is to be dialled, and was not before. */
  add (address: Address, configured: boolean): boolean {
    const entry = this.#open(address, configured)
    if (entry === null) return false
    if (configured) entry.configured = true
    if (entry.dialled) return false
    // Who says that it is there need not be.
    entry.id = null
    entry.dialled = true
    return true
  }

  /** It was of use in an earlier run. Returns true as `add`. */
  remember (address: Address): boolean {
    const isNew = this.add(address, false)
    this.#mark(address, { met: true })
    return isNew
  }

  /**
   * These, and no others, are what names lead to now. Returns those that are to be dialled, and were not before. Those that
   * are not found any more, and at which nobody answers, are forgotten.
   */
  find (addresses: readonly Address[]): Address[] {
    for (const entry of this.#entries.values()) if (entry.found === 'now') entry.found = 'before'
    for (const address of addresses) this.#mark(address, { found: 'now' })
    for (const entry of [...this.#entries.values()]) if (entry.failed && isOutdated(entry)) this.#forget(entry)
    const fresh = addresses.filter(address => this.add(address, false))
    for (const address of fresh) this.#mark(address, { found: 'now' })
    return fresh
  }

  get addresses (): Address[] {
    return [...this.#entries.values()].filter(({ dialled }) => dialled).map(({ address }) => address)
  }

  /** Where somebody of the cluster is, or was and may be again: what to dial after a restart. `isAwaited`: a member that is away. */
  memory (isAwaited: (id: string) => boolean): Address[] {
    return [...this.#entries.values()]
      .filter(({ met, configured, failed, id }) => met && (configured || !failed || (id !== null && isAwaited(id))))
      .map(({ address }) => address)
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

  /** There is a session with this peer, which may tell where it is. It need not be us who dialled: whoever is there has not failed. */
  onConnected (id: string, address: Address | null): void {
    if (address !== null) this.#meet(id, address)
    for (const entry of this.#entries.values()) {
      if (entry.id === id) Object.assign(entry, { failed: false, error: '', met: true })
    }
  }

  isConfigured (address: Address): boolean {
    return [...this.#entries.values()].some(entry => entry.configured && sameAddress(entry.address, address))
  }

  addressOf (id: string): Address | null {
    for (const entry of this.#entries.values()) if (entry.id === id) return entry.address
    return null
  }

  onError (address: Address, error: Error): void {
    this.#mark(address, { error: (error as { code?: string }).code ?? error.message })
  }

  missing (self: string, isConnected: (id: string) => boolean): string[] {
    const missing: string[] = []
    for (const [key, { configured, found, id, error }] of this.#entries) {
      if ((!configured && found !== 'now') || id === self || (id !== null && isConnected(id))) continue
      missing.push(error === '' ? key : `${key} (${error})`)
    }
    return missing
  }

  /** Nobody answers there. `isGone` tells who is no member any more: what has led there need not be dialled again. */
  fail (address: Address, isGone: (id: string) => boolean): void {
    const known = this.#entries.get(keyOf(address))
    if (known === undefined) return
    known.failed = true
    const isOfNobody = !known.configured && known.found !== 'now' && known.id !== null && isGone(known.id)
    if (isOfNobody || isOutdated(known)) this.#forget(known)
  }

  /** True if a name leads to the address. */
  isFound (address: Address): boolean {
    return this.#entries.get(keyOf(address))?.found === 'now'
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

  /** Where a peer says that it is. What it said before is out of date. */
  #meet (id: string, address: Address): void {
    for (const entry of this.#entries.values()) {
      if (entry.id === id && !entry.dialled && !sameAddress(entry.address, address)) this.#forget(entry)
    }
    const entry = this.#open(address, false)
    if (entry !== null && !entry.dialled) entry.id = id
  }

  #open (address: Address, configured: boolean): Entry | null {
    const key = keyOf(address)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    if (this.#entries.size >= ADDRESSES_MAX) {
      const leaving = this.#leastUseful(configured)
      if (leaving === null && configured) throw new RangeError(`A node can have at most ${ADDRESSES_MAX} peers`)
      if (leaving === null) return null
      this.#forget(leaving)
    }
    const entry: Entry = { address, configured, found: 'never', dialled: false, met: false, id: null, failed: false, error: '' }
    this.#entries.set(key, entry)
    return entry
  }

  /** What makes room for another: an address at which nobody answers, and for what somebody asks for, any that was only heard. */
  #leastUseful (configured: boolean): Entry | null {
    const heard = [...this.#entries.values()].filter(entry => !entry.configured)
    return heard.find(({ failed, found }) => failed && found !== 'now') ?? heard.find(({ failed }) => failed) ?? (configured ? heard[0] ?? null : null)
  }

  #forget (entry: Entry): void {
    this.#entries.delete(keyOf(entry.address))
    if (entry.dialled) this.#onForget(entry.address)
  }

  #mark (address: Address, fields: Partial<Entry>): void {
    const known = this.#entries.get(keyOf(address))
    if (known !== undefined) Object.assign(known, fields)
  }
}

function isOutdated ({ found, configured }: Entry): boolean {
  return found === 'before' && !configured
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
