/** How the tabs of a site reach one another: a shared worker passes on the ports. */
export class Hub {
  readonly #port: MessagePort

  constructor (name: string, onPort: (port: MessagePort) => void) {
    this.#port = new SharedWorker('./hub-worker.js', { type: 'module' }).port
    this.#port.onmessage = ({ ports: [port] }) => { if (port !== undefined) onPort(port) }
    this.#port.postMessage({ is: name })
  }

  connect (name: string): MessagePort {
    const { port1, port2 } = new MessageChannel()
    this.#port.postMessage({ to: name }, [port2])
    return port1
  }
}
