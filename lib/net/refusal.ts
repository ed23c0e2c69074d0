import type { ErrorCode } from '../errors.ts'
import { codes } from '../errors.ts'

/** What somebody whose node was refused for this reason should know, for the end of a message. */
export function adviceFor (code: ErrorCode): string {
  switch (code) {
    case codes.staleIdentity:
      return '. That peer has seen a later start of this node, or another copy of its disk'
    case codes.unauthorized:
      return ". The two have not the same secret, or only one of them has one: the option 'secret' must be the same on all nodes"
    default:
      return ''
  }
}
