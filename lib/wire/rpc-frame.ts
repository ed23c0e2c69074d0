import { ByteReader, ByteWriter } from './bytes.ts'

/** What one side of a connection can ask of the other. The place in the list, plus one, is the byte on the wire. */
export const methods = ['hello', 'start', 'frame', 'ping', 'auth', 'prove'] as const

export type Method = typeof methods[number]

/** A call as rpc-stream gives and takes it in raw mode. The id -1 means that no reply is wanted. */
export type RpcCall = [name: Method, args: [payload: Uint8Array], id: number]
/** A reply as rpc-stream gives and takes it in raw mode. Errors travel inside the payload, never as `error`. */
export type RpcReply = [args: [error: null, payload: Uint8Array], id: number]
export type RpcFrame = RpcCall | RpcReply

/**
 * The largest id. The next one, 2^32 - 1, is minus one to the bit operator with which rpc-stream asks
 * whether a reply is wanted.
 */
export const rpcIdMax = 0xfffffffe

/** The most that the encoding adds to a payload. */
export const rpcHeaderBytesMax = 6

const replyKind = 0
const frameKind = methods.indexOf('frame') + 1

// Nearly every frame has this header.
const plainFrameHeader = Uint8Array.of(frameKind, 0)

export function isReply (frame: RpcFrame): frame is RpcReply {
  return frame.length === 2
}

/** What precedes the payload on the wire: the kind of frame (0: a reply, else a method), then the id (0: none). */
export function encodeRpcHeader (frame: RpcFrame): Uint8Array {
  const kind = isReply(frame) ? replyKind : methods.indexOf(frame[0]) + 1
  const id = isReply(frame) ? frame[1] : frame[2]
  if (kind === frameKind && id === -1) return plainFrameHeader

  const writer = new ByteWriter(rpcHeaderBytesMax)
  writer.u8(kind)
  writer.varint(id === -1 ? 0 : id)
  return writer.finish()
}

export function rpcPayload (frame: RpcFrame): Uint8Array {
  return isReply(frame) ? frame[0][1] : frame[1][0]
}

/**
 * Decodes one frame, whose payload is a view. Whatever the bytes are, the result is something that
 * rpc-stream can be given safely, or a WireError is thrown.
 */
export function decodeRpcFrame (bytes: Uint8Array): RpcFrame {
  const reader = new ByteReader(bytes)
  const kind = reader.u8()
  const id = reader.varint()
  if (id > rpcIdMax) reader.fail('id too large')
  const payload = reader.raw(reader.remaining)

  if (kind === replyKind) {
    if (id === 0) reader.fail('reply to nothing')
    return [[null, payload], id]
  }

  const name = methods[kind - 1]
  if (name === undefined) return reader.fail('unknown method')
  if (name === 'frame' && payload.length === 0) reader.fail('empty body')
  return [name, [payload], id === 0 ? -1 : id]
}
