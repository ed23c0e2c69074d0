// The one place where the streams of Node.js come in: in a browser, `lib/browser/duplex.ts` takes its place.
export { Duplex } from 'node:stream'
