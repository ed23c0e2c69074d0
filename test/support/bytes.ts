import { frameHeaderBytes, writeFrameHeader } from '../../lib/wire/frame.ts'
import { encodeRpcHeader, rpcPayload } from '../../lib/wire/rpc-frame.ts'
import type { RpcFrame } from '../../lib/wire/rpc-frame.ts'

export function concat (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result
}

/** A frame around these bytes, as it travels. */
export function framed (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> {
  const frame = concat(new Uint8Array(frameHeaderBytes), ...parts)
  writeFrameHeader(frame, frame.length - frameHeaderBytes)
  return frame
}

/** A call, or a reply, as it is in its frame. */
export function encodeCall (frame: RpcFrame): Uint8Array<ArrayBuffer> {
  return concat(encodeRpcHeader(frame), rpcPayload(frame))
}

/** With its frame. */
export function framedCall (frame: RpcFrame): Uint8Array<ArrayBuffer> {
  return framed(encodeCall(frame))
}
