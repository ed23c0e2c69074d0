/** Raw mode only: frames are arrays, and bytes are bytes. */
declare module 'rpc-stream' {
  type Callback = (error: null, payload: Uint8Array) => void

  interface RpcStream {
    on (event: 'data', listener: (frame: unknown) => void): this
    write (frame: readonly unknown[]): boolean
    rpc (name: string, args: readonly unknown[], callback?: Callback): void
    createLocalCall (name: string, fn: (args: [payload: Uint8Array], callback: Callback) => void): void
  }

  function rpc (local: null, raw: true): RpcStream

  export = rpc
}
