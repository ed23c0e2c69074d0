/**
 * Opens so many connections to an address, says the begin of a frame on each, and keeps them open. Tells when all were opened, and
 * so many closed by the other side that no more than `left` are there.
 */
import { once } from 'node:events'
import { connect } from 'node:net'

export interface Flooded {
  opened: number
  /** So many of them have been closed by the other side. */
  closed: number
}

const [count, host, port, left] = process.argv.slice(2)
const flooded: Flooded = { opened: 0, closed: 0 }

async function open (): Promise<void> {
  const socket = connect(Number(port), host)
  socket.on('error', () => {})
  socket.on('close', () => { flooded.closed++ })
  await once(socket, 'connect')
  flooded.opened++
  // The begin of a hello, and then nothing more: the length says that there will be 100 bytes.
  socket.write(Uint8Array.of(0, 0, 0, 100, 1, 2, 0x51))
}

while (flooded.opened < Number(count)) {
  const lacking = Number(count) - flooded.opened
  await Promise.allSettled(Array.from({ length: Math.min(lacking, 50) }, open))
}
while (flooded.closed < flooded.opened - Number(left)) await new Promise((resolve) => { setTimeout(resolve, 10) })
process.send?.(flooded)
