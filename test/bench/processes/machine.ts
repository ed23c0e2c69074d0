/** What the disk and the loopback network take by themselves. */
import { once } from 'node:events'
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { serve } from './serve.ts'

export interface MachineConfig {
  location: string
}

export interface MachineMethods {
  /** Appends 4 KiB to a file and syncs it, again and again. Returns the latencies in milliseconds. */
  sync (how: 'fsync' | 'fdatasync', ms: number): Float64Array
  /** Sends back what it gets, from now on. Resolves with the port. */
  echo (): Promise<number>
  /** Sends 100 bytes to that port and waits for them, again and again. */
  roundTrips (port: number, ms: number): Promise<Float64Array>
}

const blockBytes = 4096
const messageBytes = 100

const { location } = JSON.parse(process.argv[2] as string) as MachineConfig

const methods: MachineMethods = {
  // Without the thread pool of Node.js: that is not the disk's.
  sync (how, ms) {
    const file = openSync(join(location, how), 'a')
    const block = Buffer.alloc(blockBytes, 'x')
    const flush = how === 'fsync' ? fsyncSync : fdatasyncSync
    const latencies: number[] = []
    for (const end = performance.now() + ms; performance.now() < end;) {
      const begun = performance.now()
      writeSync(file, block)
      flush(file)
      latencies.push(performance.now() - begun)
    }
    closeSync(file)
    return Float64Array.from(latencies)
  },

  async echo () {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {})
      socket.on('data', (data) => { socket.write(data) })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  async roundTrips (port, ms) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const message = Buffer.alloc(messageBytes, 'x')
    const latencies: number[] = []
    const end = performance.now() + ms
    await new Promise<void>((resolve, reject) => {
      let begun = performance.now()
      let missing = messageBytes
      socket.on('error', reject)
      socket.on('data', (data) => {
        missing -= data.length
        if (missing > 0) return
        const now = performance.now()
        latencies.push(now - begun)
        if (now >= end) {
          resolve()
          return
        }
        missing = messageBytes
        begun = now
        socket.write(message)
      })
      socket.write(message)
    })
    socket.destroy()
    return Float64Array.from(latencies)
  }
}

serve({ ...methods })
