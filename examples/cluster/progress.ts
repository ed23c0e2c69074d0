import type { LoadProgress } from './messages.ts'
import type { Output } from './output.ts'

const barWidth = 40

/** A bar on a terminal, a line for every tenth otherwise. */
export function progressOf (name: string, output: Output, asBar: boolean): (progress: LoadProgress) => void {
  let shown = ''

  return ({ phase, bytes, totalBytes }) => {
    const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes)
    if (asBar) {
      const filled = Math.round(share * barWidth)
      output.bar(`${phase} [${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${Math.floor(share * 100)} %`)
      return
    }

    const text = `${name}: ${phase}, ${Math.floor(share * 10) * 10} %`
    if (phase === 'writing' && text !== shown) output.line(text)
    shown = text
  }
}
