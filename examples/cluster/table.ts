export type Cell = string | number | null

/** Columns as wide as their widest cell; numbers to the right. Lines longer than `widthMax` are cut. */
export function formatTable (head: readonly string[], rows: ReadonlyArray<readonly Cell[]>, widthMax = Infinity): string {
  const widths = head.map((title, column) => {
    return Math.max(title.length, ...rows.map((row) => toText(row[column]).length))
  })

  const formatRow = (row: readonly Cell[]) => row.map((cell, column) => {
    const width = widths[column] ?? 0
    return typeof cell === 'number' ? toText(cell).padStart(width) : toText(cell).padEnd(width)
  }).join('  ').trimEnd().slice(0, widthMax)

  return [head, ...rows].map(formatRow).join('\n')
}

function toText (cell: Cell | undefined): string {
  return cell === null || cell === undefined ? '-' : String(cell)
}
