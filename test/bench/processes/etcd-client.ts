/**
 * A client of etcd: the load generator, with puts by gRPC. gRPC is HTTP/2, and a message of two fields is quickly encoded by hand: with the
 * package `etcd3`, a put took more than twice the processor time here, and on a small machine that is taken away from etcd.
 */
import { connect } from 'node:http2'
import { Load } from './load.ts'
import type { Entry } from './entries.ts'
import { serve } from './serve.ts'

export interface EtcdClientConfig {
  /** Of one member, http:// included. */
  url: string
}

const { url } = JSON.parse(process.argv[2] as string) as EtcdClientConfig
const session = connect(url)
const headers = { ':method': 'POST', ':path': '/etcdserverpb.KV/Put', 'content-type': 'application/grpc', te: 'trailers' }

/** Five bytes of gRPC (not compressed, length), then etcdserverpb.PutRequest: key is field 1, value is field 2. */
function putRequest (key: string, value: string): Buffer {
  const fields = [field(1, key), field(2, value)]
  const head = Buffer.alloc(5)
  head.writeUInt32BE(fields[0]!.length + fields[1]!.length, 1)
  return Buffer.concat([head, ...fields])
}

/** Of less than 128 bytes, so that its length is one byte. */
function field (number: number, text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([number << 3 | 2, bytes.length]), bytes])
}

function put (key: string, value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers)
    let status: unknown = 'none'
    stream.on('trailers', (trailers) => { status = trailers['grpc-status'] })
    stream.on('error', reject)
    stream.on('close', () => {
      if (status === '0') resolve()
      else reject(new Error(`etcd answered with status ${String(status)}`))
    })
    stream.resume()
    stream.end(putRequest(key, value))
  })
}

async function batch (entries: Entry[]): Promise<never> {
  throw new Error(`${entries.length} puts: this client makes no batches`)
}

serve({ ...new Load({ put, batch }).methods })
