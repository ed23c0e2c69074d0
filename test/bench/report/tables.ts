/** What is printed, of any number of runs: medians, and ranges in brackets where they say most. */
import { concurrencies } from '../parameters.ts'
import type { Results, Run } from '../results.ts'
import type { Column, Scenario } from '../scenario.ts'
import { computeAll } from './figures.ts'
import type { Compute } from './figures.ts'
import { formatNumber, formatTable } from './format-table.ts'
import type { Summary } from './statistics.ts'
import { judge, targets } from './targets.ts'

const nothing = '-'

const aboutRatios = 'Replicated writes/s (of three writers: their sum) over those without replication (of three processes: of each), and over those of etcd.'

export function report ({ machine, begun, commit, runs }: Results, scenarios: readonly Scenario[]): string {
  const measured = scenarios.filter(({ name }) => runs.some((run) => run[name] !== undefined))
  const ratios = ratioTable(runs)
  const { processors, memoryGigabytes, system, node, etcd, loadAverage } = machine
  return [
    `${processors}, ${memoryGigabytes} GB, ${system}, Node.js ${node}, etcd ${etcd ?? 'not installed'}`,
    `${begun}, load average before: ${loadAverage}; commit ${commit ?? 'unknown'}; runs: ${runs.length}. Medians of all runs, in brackets the range.`,
    ...measured.map((scenario) => section(scenario.title, scenario.about, scenarioTable(scenario, runs))),
    ...ratios === null ? [] : [section('Ratios', aboutRatios, ratios)],
    section('Targets', 'They are met or missed by the medians.', targetTable(runs))
  ].join('\n')
}

function section (title: string, about: string, table: string): string {
  return `\n## ${title}\n\n${about}\n\n${table}`
}

export function scenarioTable ({ name: scenario, columns }: Scenario, runs: readonly Run[]): string {
  // Not every run need have the same rows.
  const rows = [...new Set(runs.flatMap((run) => run[scenario]?.map(({ name }) => name) ?? []))]
  const cell = (row: string, { key, digits, range = false }: Column): string =>
    formatSummary(computeAll(runs, (find) => find(scenario, row, key)), digits, range && runs.length > 1)
  return formatTable([
    ['', ...columns.map(({ title }) => title)],
    ...rows.map((row) => [row, ...columns.map((column) => cell(row, column))])
  ])
}

const writers = ['disk, coordinator', 'disk, participant', 'disk, all three']

const bases: Array<{ name: string, perSecond: (c: number) => Compute }> = [
  ...[
    'store, unsynced', 'store, each put synced', 'store, group commit', 'store, group commit, three', 'file, group commit', 'file, group commit, three'
  ].map((name) => ({ name, perSecond: (c: number): Compute => (find) => find('limits', `${name}, c=${c}`, 'perSecond') })),
  { name: 'etcd', perSecond: (c) => (find) => find('etcd', `c=${c}`, 'perSecond') }
]

/** Null if none of what is compared was measured. */
export function ratioTable (runs: readonly Run[]): string | null {
  const rows = writers.flatMap((writer) => bases.flatMap(({ name, perSecond }) => {
    const cells = concurrencies.map((c) => computeAll(runs, (find) => find('puts', `${writer}, c=${c}`, 'perSecond') / perSecond(c)(find)))
    if (cells.every((summary) => summary === null)) return []
    return [[`${writer} / ${name}`, ...cells.map((summary) => formatSummary(summary, 2, runs.length > 1))]]
  }))
  return rows.length === 0 ? null : formatTable([['', ...concurrencies.map((c) => `c=${c}`)], ...rows])
}

/** Those that were measured, and how many were not. */
export function targetTable (runs: readonly Run[]): string {
  const verdicts = { met: 0, missed: 0, 'not measured': 0 }
  const rows: string[][] = []
  for (const target of targets) {
    const { name, unit, digits, atLeast, atMost, compute } = target
    const summary = computeAll(runs, compute)
    const verdict = judge(target, summary?.median ?? null)
    verdicts[verdict]++
    const bound = atLeast === undefined ? `≤ ${formatNumber(atMost!, digits)}` : `≥ ${formatNumber(atLeast, digits)}`
    if (summary !== null) rows.push([name, unit, bound, formatSummary(summary, digits, runs.length > 1), verdict])
  }
  const table = formatTable([['', '', 'target', 'measured', ''], ...rows])
  return `${table}\n\n${Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`
}

function formatSummary (summary: Summary | null, digits: number, withRange: boolean): string {
  if (summary === null) return nothing
  const { median, min, max } = summary
  const number = (value: number): string => formatNumber(value, digits)
  return withRange ? `${number(median)} (${number(min)}–${number(max)})` : number(median)
}
