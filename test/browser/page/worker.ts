/** A member in a Web Worker, told by its page what to do. */
import { answer } from './member.ts'
import type { Member } from './member.ts'
import { openMember } from './open.ts'

let member: Member | undefined

addEventListener('message', async ({ data, ports: [port] }) => {
  if (data === 'connect') {
    if (port !== undefined) accept(port)
  } else if ('open' in data) {
    member = openMember(data.open, connect)
  } else {
    postMessage({ id: data.id, reply: await answer(member, data.method, data.args) })
  }
})

function accept (port: MessagePort): void {
  if (member === undefined) port.close()
  else member.acceptPort(port)
}

/** To the page: there is nobody else. */
function connect (): MessagePort {
  const { port1, port2 } = new MessageChannel()
  postMessage('connect', { transfer: [port2] })
  return port1
}
