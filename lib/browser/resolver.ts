import { codes, ReplicatorError } from '../errors.ts'
import type * as resolver from '../net/resolver.ts'

export const systemResolver: typeof resolver.systemResolver = {
  addresses: refuse,
  services: refuse
}

async function refuse (): Promise<never> {
  throw new ReplicatorError(codes.notSupported, "There is no DNS in a browser: the option 'peers' can have no entries with dns or srv here, and a 'transport' gets each host as it is")
}
