/**
 * One of the servers of the board: a process with a database on disk, a replicator around it, and one port for the page (by
 * HTTP) and for the other nodes (by WebSocket), be they servers or tabs.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { Replicator } from 'quorum-level'
import { webSocketStream, webSocketTransport } from 'quorum-level/transport/websocket'
import { WebSocket, WebSocketServer } from 'ws'
import { cardsOf, readEntries } from './board.ts'
import type { Ask, Reply, ServerOptions, Tell } from './messages.ts'

const { name, host, port, peers, location, site, origins, failureTimeoutMs } = JSON.parse(process.argv[2] ?? '') as ServerOptions

const db = new ClassicLevel<string, string>(location)
await db.open()

const replicator = Replicator(db, { name, host, port, peers, minConsensus: 1, failureTimeoutMs, transport: webSocketTransport({ WebSocket }) })
replicator.on('ready', () => { tell('ready') })
replicator.on('notready', () => { tell('not ready') })
replicator.on('error', (err) => { if (replicator.status === 'failed') tell(`failed: ${err.message}`) })

const types: Record<string, string> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' }

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  const file = pathname === '/' ? 'index.html' : pathname.slice(1)
  try {
    if (!/^[a-z-]+\.[a-z]+$/.test(file)) throw new Error('It is none of the files of the page')
    const content = await readFile(join(site, file))
    response.setHeader('Content-Type', `${types[extname(file)]}; charset=utf-8`).setHeader('Cache-Control', 'no-cache').end(content)
  } catch {
    response.writeHead(404).end()
  }
})

// Any page that is open in a browser on this machine can dial this port: only those of the board may. Nodes that are no pages send no origin.
const verifyClient = ({ origin }: { origin: string | undefined }) => origin === undefined || origins.includes(origin)
new WebSocketServer({ server, verifyClient }).on('connection', (socket) => {
  const connection = webSocketStream(socket)
  const inbound = replicator.createServer()
  inbound.pipe(connection).pipe(inbound)
})

server.listen(port, host)
await once(server, 'listening')
send({ type: 'listening' })

process.on('message', async ({ id, question }: Ask) => {
  try {
    const answer = question === 'cards' ? cardsOf(await readEntries(db)).flat() : await replicator.digest()
    send({ type: 'answer', id, answer })
  } catch (err) {
    send({ type: 'failure', id, message: (err as Error).message })
  }
})

// The prompt has gone, or wants this server to.
process.on('disconnect', async () => {
  await db.close()
  process.exit()
})

// Ctrl-C reaches every process of the terminal; the prompt decides what it means.
process.on('SIGINT', () => {})

function tell (text: string): void {
  send({ type: 'event', text })
}

function send (message: Tell | Reply): void {
  // If the prompt has gone, nobody waits for this.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
