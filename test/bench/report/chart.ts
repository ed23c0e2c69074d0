/** Lines through points on logarithmic axes, as SVG that can be read in light and dark surroundings. */
import { logScale } from './scale.ts'

export interface Series {
  name: string
  /** Where others are compared with it. */
  isReference?: boolean
  /** In the order in which they are connected. */
  points: Array<{ x: number, y: number, label: string }>
}

export interface Chart {
  title: string
  subtitle: string
  xTitle: string
  yTitle: string
  /** At most as many as there are colours. */
  series: readonly Series[]
}

const width = 760
const height = 460
const plot = { left: 64, right: width - 36, top: 96, bottom: height - 52 }

/** More or less: nobody here knows the font. */
const characterWidth = 6.8

/** They can be told apart by people who see few colours, on light and on dark. */
const colours = [['#0b62c4', '#6db1ff'], ['#c2410c', '#ff9d57'], ['#6b7280', '#9ca3af'], ['#7e22ce', '#cc99ff']] as const

const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .line { fill: none; stroke-width: 2 }
  .reference { stroke-dasharray: 5 4 }
  .label { font-size: 11px }
${colours.map(([light], i) => `  .line.s${i} { stroke: ${light} } .dot.s${i}, .label.s${i} { fill: ${light} }`).join('\n')}
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .grid { stroke: #3d444d }
${colours.map(([, dark], i) => `    .line.s${i} { stroke: ${dark} } .dot.s${i}, .label.s${i} { fill: ${dark} }`).join('\n')}
  }
`

export function drawChart ({ title, subtitle, xTitle, yTitle, series }: Chart): string {
  if (series.length > colours.length) throw new RangeError(`a chart has at most ${colours.length} lines`)
  const points = series.flatMap(({ points }) => points)
  const x = logScale(points.map(({ x }) => x), plot.left, plot.right)
  const y = logScale(points.map(({ y }) => y), plot.bottom, plot.top)

  const elements = [
    text(plot.left, 24, title, 'title'),
    text(plot.left, 44, subtitle, 'quiet'),
    ...x.ticks.flatMap((tick) => [line(x(tick), plot.top, x(tick), plot.bottom), text(x(tick), plot.bottom + 18, tick.toLocaleString('en-US'), 'quiet', 'middle')]),
    ...y.ticks.flatMap((tick) => [line(plot.left, y(tick), plot.right, y(tick)), text(plot.left - 8, y(tick) + 4, String(tick), 'quiet', 'end')]),
    text((plot.left + plot.right) / 2, height - 12, xTitle, 'quiet', 'middle'),
    text(16, plot.top - 10, yTitle, 'quiet'),
    ...series.flatMap((each, i) => drawSeries(each, i, x, y)),
    ...legend(series)
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}">
<style>${style}</style>
${elements.join('\n')}
</svg>
`
}

function drawSeries ({ points, isReference = false }: Series, i: number, x: (value: number) => number, y: (value: number) => number): string[] {
  const places = points.map((point) => ({ ...point, x: x(point.x), y: y(point.y) }))
  return [
    `<polyline class="line s${i}${isReference ? ' reference' : ''}" points="${places.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ')}"/>`,
    ...places.map(({ x, y }) => `<circle class="dot s${i}" cx="${round(x)}" cy="${round(y)}" r="3.5"/>`),
    ...places.map(({ x, y, label }) => text(x - 5, y - 8, label, `label s${i}`, 'end'))
  ]
}

/** In one line above the plot. */
function legend (series: readonly Series[]): string[] {
  let left = plot.left
  return series.flatMap(({ name, isReference = false }, i) => {
    const begin = left
    left += 58 + name.length * characterWidth
    return [
      `<polyline class="line s${i}${isReference ? ' reference' : ''}" points="${begin},64 ${begin + 22},64"/>`,
      text(begin + 28, 68, name, '')
    ]
  })
}

function line (x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="grid" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}

function text (x: number, y: number, content: string, className: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${className}" text-anchor="${anchor}">${escape(content)}</text>`
}

function round (value: number): number {
  return Math.round(value * 10) / 10
}

function escape (content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
