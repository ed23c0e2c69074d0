import type { Settings } from './options.ts'

/** What a scenario gets. */
export interface Bench {
  readonly settings: Settings
  /** An empty directory, which is deleted afterwards. */
  readonly folder: string
  /** Tells whoever waits how far it is. */
  note (text: string): void
}

/** A line of a table. What could not be measured is left out of the values. */
export interface Row {
  name: string
  values: Record<string, number>
}

export interface Column {
  /** Of the values of a row. */
  key: string
  title: string
  /** After the point. */
  digits: number
  /** The range over all runs is shown, too. */
  range?: boolean
}

/** One subject. It prepares whatever it needs, measures, takes it down, and returns plain data. */
export interface Scenario {
  /** For `--only`. */
  name: string
  title: string
  /** For the reader of the table: what was prepared and what is measured. */
  about: string
  columns: readonly Column[]
  measure (bench: Bench): Promise<Row[]>
}
