/** What a process of the bench can be asked for by its parent. Arguments and results are cloned. */
export type Methods = Record<string, (...args: any[]) => unknown>

export interface Request {
  id: number
  method: string
  args: unknown[]
}

export type Reply =
  /** It can be called from now on. */
  | { type: 'up' }
  | { type: 'result', id: number, value: unknown }
  | { type: 'failure', id: number, message: string }

/** Answers the parent from now on, and ends with it. */
export function serve (methods: Methods): void {
  process.on('disconnect', () => { process.exit(1) })
  if (!process.connected) process.exit(1)
  process.on('message', ({ id, method, args }: Request) => {
    answer(methods[method]!, args).then(
      (value) => { send({ type: 'result', id, value }) },
      (error: Error) => { send({ type: 'failure', id, message: error.stack ?? error.message }) }
    )
  })
  send({ type: 'up' })
}

async function answer (method: Methods[string], args: unknown[]): Promise<unknown> {
  return await method(...args)
}

function send (reply: Reply): void {
  // Where the parent is gone, `disconnect` ends this process.
  if (process.connected) process.send?.(reply, undefined, undefined, () => {})
}
