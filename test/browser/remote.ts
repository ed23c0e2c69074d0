import type { Page } from 'playwright-core'
import type { Failure, Member, MemberMethod, Reply } from './page/member.ts'

/** What a member elsewhere rejected with. */
export class RemoteError extends Error {
  readonly code: string | undefined
  readonly outcome: string | undefined
  readonly transaction: string | undefined

  constructor ({ message, code, outcome, transaction }: Failure) {
    super(message)
    this.code = code
    this.outcome = outcome
    this.transaction = transaction
  }
}

/** A member elsewhere: all its methods return promises. */
export type Remote = {
  [Method in MemberMethod]: (...args: Parameters<Member[Method]>) => Promise<Awaited<ReturnType<Member[Method]>>>
}

/** `call` has a method called by its name, wherever the member is. */
export function remote (call: (method: MemberMethod, args: unknown[]) => Promise<Reply>): Remote {
  return new Proxy({} as Remote, {
    get: (_target, method: MemberMethod | 'then') => {
      // It is no promise.
      if (method === 'then') return undefined
      return async (...args: unknown[]) => valueOf(await call(method, args))
    }
  })
}

export function valueOf (reply: Reply): unknown {
  if ('failure' in reply) throw new RemoteError(reply.failure)
  return reply.value
}

/** The member that the page has opened itself. */
export function inPage (page: Page): Remote {
  return remote((method, args) => page.evaluate(([method, args]) => harness.call(method, args), [method, args] as const))
}

export function inWorker (page: Page): Remote {
  return remote((method, args) => page.evaluate(([method, args]) => harness.callWorker(method, args), [method, args] as const))
}
