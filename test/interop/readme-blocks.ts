import { readFileSync } from 'node:fs'

const readme = readFileSync('README.md', 'utf8')
const section = readme.slice(readme.indexOf('\n## Transports\n') + 1).split('\n## ')[0] as string

/** The code in the README's section on transports, by the name of its part, or else by its heading. */
export const blocks = new Map(section.split('\n### ').slice(1).flatMap((text) => {
  const heading = text.slice(0, text.indexOf('\n'))
  return [...text.matchAll(/(?:<!-- part: ([^\n]*) -->\n)?```js\n(.*?)```/gs)].map(([, part = heading, code = '']) => [part, code] as const)
}))

const ours = new Map([
  ['quorum-level/transport/websocket', '../../lib/transport/websocket.ts'],
  ['quorum-level/transport/message-port', '../../lib/transport/message-port.ts'],
  ['quorum-level/transport/test', '../../lib/transport/test.ts'],
  ['./ipc-ports.js', '../../examples/transports/ipc-ports.ts']
])

/** Loads what a block imports. */
export async function load (name: string): Promise<object> {
  return await import(ours.get(name) ?? name)
}

/** Runs a block with these variables. Gives those that it has made. */
export async function runBlock (name: string, scope: object, results: readonly string[], change: (code: string) => string = (code) => code): Promise<object> {
  const code = blocks.get(name)
  if (code === undefined) throw new RangeError(`The README has no code for ${name}`)
  const all: Record<string, unknown> = { load, ...scope }
  const body = change(code)
    .replace(/^import (\w+) from (.*)$/gm, 'const { default: $1 } = await load($2)')
    .replace(/^import (\{.*\}) from (.*)$/gm, 'const $1 = await load($2)')
  const module = `export default async ({ ${Object.keys(all).join(', ')} }) => {\n${body}\nreturn { ${results.join(', ')} }\n}`
  const { default: run } = await import(`data:text/javascript,${encodeURIComponent(module)}`) as { default: (scope: object) => Promise<object> }
  return await run(all)
}
