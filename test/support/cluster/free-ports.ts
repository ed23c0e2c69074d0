import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Server } from 'node:net'

// Below the range from which systems take the local ports of outgoing connections: else, while a node is down, one of
// those who dial it could get its very port, and keep it from starting again, or even connect to itself.
const LOWEST = 10_240
const HIGHEST = 32_000
/** So many tests run at the same time, and each takes ports of its own: that of a node that is down for a moment looks free, too. */
const LANES = 3
const lane = Number(process.env.TEST_LANE ?? 0) % LANES

/** Different ports that are free now. They are held together for a moment, so that none is given twice. */
export async function freePorts (count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = new Map<number, Server>()
  while (servers.size < count) {
    const port = LOWEST + LANES * Math.floor(Math.random() * (HIGHEST - LOWEST) / LANES) + lane
    const server = createServer()
    try {
      server.listen(port, host)
      await once(server, 'listening')
      servers.set(port, server)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' && (error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    }
  }
  await Promise.all([...servers.values()].map((server) => new Promise<void>((resolve) => { server.close(() => { resolve() }) })))
  return [...servers.keys()]
}
