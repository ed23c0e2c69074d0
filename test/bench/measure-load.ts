import { setTimeout as delay } from 'node:timers/promises'
import type { Child } from './child.ts'
import type { LoadMethods, LoadSpec, LoadWindow } from './processes/load.ts'
import { percentile } from './report/statistics.ts'
import type { Settings } from './options.ts'
import type { Column } from './scenario.ts'

type LoadChild = Pick<Child<LoadMethods>, 'call'>

export const latencyColumns: readonly Column[] = [
  { key: 'p50Ms', title: 'p50 ms', digits: 2 },
  { key: 'p95Ms', title: 'p95 ms', digits: 2 },
  { key: 'p99Ms', title: 'p99 ms', digits: 2 },
  { key: 'maxMs', title: 'max ms', digits: 1 }
]

export const loadColumns: readonly Column[] = [
  { key: 'perSecond', title: 'writes/s', digits: 0, range: true },
  ...latencyColumns
]

/** The same load in each of these processes at once. The processor time is that of all who are watched, in their order. */
export async function measureLoad (
  writers: readonly LoadChild[], watched: readonly LoadChild[], spec: LoadSpec, { warmUpMs, windowMs }: Pick<Settings, 'warmUpMs' | 'windowMs'>
): Promise<{ figures: Record<string, number>, entries: number }> {
  await Promise.all(writers.map((child) => child.call('startLoad', spec)))
  const windows = await takeWindow(watched, warmUpMs, windowMs)
  const entries = await Promise.all(writers.map((child) => child.call('stopLoad')))
  return { figures: loadFigures(windows), entries: sum(entries) }
}

/** What these processes do in that time. */
export async function takeWindow (children: readonly LoadChild[], warmUpMs: number, windowMs: number): Promise<LoadWindow[]> {
  await delay(warmUpMs)
  await Promise.all(children.map((child) => child.call('markLoad')))
  await delay(windowMs)
  return await Promise.all(children.map((child) => child.call('takeLoad')))
}

/** With `cpu0Micros`, `cpu1Micros` ...: the processor time that a write takes in each process, whoever wrote it. */
export function loadFigures (windows: readonly LoadWindow[]): Record<string, number> {
  const perSecond = sum(windows.map(({ latenciesMs, seconds }) => latenciesMs.length / seconds))
  const cpu = windows.map(({ cpuMicros, seconds }) => cpuMicros / seconds / perSecond)
  return {
    perSecond,
    ...latencies(windows.map(({ latenciesMs }) => latenciesMs)),
    ...Object.fromEntries(cpu.map((micros, i) => [`cpu${i}Micros`, micros])),
    cpuSumMicros: sum(cpu)
  }
}

export function latencies (measured: readonly Float64Array[]): Record<string, number> {
  const sorted = Float64Array.from(measured.flatMap((latenciesMs) => [...latenciesMs])).sort()
  return {
    p50Ms: percentile(sorted, 50),
    p95Ms: percentile(sorted, 95),
    p99Ms: percentile(sorted, 99),
    maxMs: percentile(sorted, 100)
  }
}

export function sum (values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
