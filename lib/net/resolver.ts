import { codes, ReplicatorError } from '../errors.ts'

/** How names become addresses. Both reject if the name leads nowhere. */
export interface Resolver {
  /** All addresses of a host, of both families. */
  addresses (name: string): Promise<string[]>
  /** The targets of the SRV records of a service. */
  services (name: string): Promise<Array<{ name: string, port: number }>>
}

/** As the system resolves names. */
export const systemResolver: Resolver = {
  async addresses (name) {
    const { lookup } = await loadDns()
    return (await lookup(name, { all: true })).map(({ address }) => address)
  },
  async services (name) {
    const { resolveSrv } = await loadDns()
    return await resolveSrv(name)
  }
}

// Loaded when needed: browsers have no DNS.
async function loadDns (): Promise<typeof import('node:dns/promises')> {
  try {
    return await import('node:dns/promises')
  } catch (cause) {
    throw new ReplicatorError(codes.notSupported, "This runtime cannot look up names: the option 'peers' can have no entries with dns or srv here", { cause })
  }
}
