import type { Environment, Timer } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import { isAddress } from '../wire/handshake.ts'
import type { Address } from './network.ts'
import type { Resolver } from './resolver.ts'

/** A name behind which peers are: each address of a host, at one port; or each target of a service. */
export type PeerName =
  | { readonly dns: string, readonly port: number }
  | { readonly srv: string }

export interface DiscoveryEvents {
  /** All addresses that the names lead to now, some of them more than once; for a name that cannot be resolved, those of the last time. */
  onFound (addresses: readonly Address[]): void
  onError (error: Error): void
}

/** How often names are resolved while nothing happens. */
const REFRESH_MS = 30_000
/** Not more often than that, whatever happens. After failures in a row, the time doubles. */
const RETRY_MS = 1_000

interface Source {
  readonly name: PeerName
  addresses: readonly Address[]
  /** Why it could not be resolved the last time; empty if it could. */
  error: string
}

/** Finds peers by name, again and again, as they come and go. */
export class Discovery {
  readonly #env: Environment
  readonly #resolver: Resolver
  readonly #events: DiscoveryEvents
  readonly #sources: readonly Source[]
  #stopped = false
  #resolving = false
  #timer: Timer | null = null
  /** Before that, names are not resolved again. */
  #notBefore = 0
  #failures = 0

  constructor (env: Environment, resolver: Resolver, names: readonly PeerName[], events: DiscoveryEvents) {
    this.#env = env
    this.#resolver = resolver
    this.#events = events
    this.#sources = names.map(name => ({ name, addresses: [], error: '' }))
  }

  /** The names that lead nowhere, and why. */
  get missing (): string[] {
    return this.#sources.filter(({ addresses }) => addresses.length === 0).map(({ name, error }) => error === '' ? textOf(name) : `${textOf(name)} (${error})`)
  }

  start (): void {
    if (this.#sources.length > 0) void this.#resolve()
  }

  /** An address that was found does not answer: there may be others by now. */
  refresh (): void {
    if (this.#stopped || this.#resolving || this.#timer === null) return
    this.#arm(Math.max(0, this.#notBefore - this.#env.now()))
  }

  stop (): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm (delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#env.setTimer(() => {
      this.#timer = null
      void this.#resolve()
    }, delayMs)
  }

  async #resolve (): Promise<void> {
    this.#resolving = true
    const results = await Promise.all(this.#sources.map(async source => await this.#lookUp(source)))
    this.#resolving = false
    if (this.#stopped) return

    this.#failures = results.every(succeeded => succeeded) ? 0 : this.#failures + 1
    const retryMs = Math.min(REFRESH_MS, RETRY_MS * 2 ** Math.max(0, this.#failures - 1))
    this.#notBefore = this.#env.now() + retryMs
    this.#arm(this.#failures === 0 ? REFRESH_MS : retryMs)
    this.#events.onFound(this.#sources.flatMap(({ addresses }) => addresses))
  }

  async #lookUp (source: Source): Promise<boolean> {
    try {
      // What cannot be dialled is not worth a word: others may know what to do with it.
      const addresses = (await this.#addressesOf(source.name)).filter(address => address.port > 0 && isAddress(address))
      source.addresses = addresses
      source.error = ''
      return true
    } catch (error) {
      source.error = (error as { code?: string }).code ?? reasonOf(error)
      if (!this.#stopped) this.#onFailure(source.name, error)
      return false
    }
  }

  #onFailure (name: PeerName, cause: unknown): void {
    // It will not be there later, either.
    if (cause instanceof ReplicatorError && cause.code === codes.notSupported) {
      this.stop()
      return this.#events.onError(cause)
    }
    this.#events.onError(new ReplicatorError(codes.connectionLost, `The peers behind ${textOf(name)} cannot be found: ${reasonOf(cause)}`, { cause }))
  }

  async #addressesOf (name: PeerName): Promise<Address[]> {
    if ('srv' in name) {
      const services = await this.#resolver.services(name.srv)
      return services.map(({ name: host, port }) => ({ host, port }))
    }
    const hosts = await this.#resolver.addresses(name.dns)
    return hosts.map(host => ({ host, port: name.port }))
  }
}

function reasonOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function textOf (name: PeerName): string {
  return 'srv' in name ? name.srv : name.dns
}
