/** A child process that passes on what comes over one port to the one who is meant: every byte is read and written here. */
import { IpcPorts } from '../../examples/transports/ipc-ports.ts'
import type { IpcPort } from '../../examples/transports/ipc-ports.ts'
import { messagePortStream } from '../../lib/transport/message-port.ts'
import { relay } from './relay.ts'

const ports = new IpcPorts(process)
ports.on('port', (port: IpcPort, to: string) => { relay(messagePortStream(port), messagePortStream(ports.open(to))) })
