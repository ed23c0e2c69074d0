import { lookup, resolveSrv } from 'node:dns/promises'

// In a browser, `lib/browser/resolver.ts` takes the place of this file.

/** How names become addresses. Both reject if the name leads nowhere. */
export interface Resolver {
  /** All addresses of a host, of both families. */
  addresses (name: string): Promise<string[]>
  /** The targets of the SRV records of a service. */
  services (name: string): Promise<Array<{ name: string, port: number }>>
}

/** As the system resolves names. */
export const systemResolver: Resolver = {
  addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  services: async (name) => await resolveSrv(name)
}
