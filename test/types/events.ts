// Compiled, never run: events have the arguments that they are emitted with.
import { MemoryLevel } from 'memory-level'
import { Replicator, ReplicatorError } from '../../index.ts'
import type { ErrorCode, ReplicatorEvents, SyncProgress, ViewInfo } from '../../index.ts'

const replicator = Replicator(new MemoryLevel())

replicator.on('ready', () => {})
replicator.once('notready', () => {})
replicator.addListener('closed', () => {})
replicator.prependListener('connect', (host, port) => { console.log(host.length + port) })
replicator.on('disconnect', (host: string, port: number) => { console.log(host, port) })
replicator.on('reconnect', (host) => { console.log(host.length) })
replicator.off('fail', (host, port) => { console.log(host.length + port) })
replicator.on('error', (error) => {
  const message: string = error.message
  const code: ErrorCode | undefined = error instanceof ReplicatorError ? error.code : undefined
  console.log(message, code)
})
replicator.on('view', ({ epoch, coordinator, members, live }) => {
  const ids: string[] = [coordinator, ...members, ...live]
  console.log(epoch.toFixed(), ids)
})
replicator.on('view', (view: ViewInfo) => { console.log(view.live.length) })
replicator.on('sync', (progress: SyncProgress) => { console.log(progress.source) })
replicator.on('sync', ({ phase, done, total }) => {
  const known: 'log' | 'copy' | 'verify' = phase
  console.log(known, done / total)
})
export const count: number = replicator.listenerCount('connect')
export const names: Array<keyof ReplicatorEvents> = ['ready', 'notready', 'view', 'sync', 'connect', 'disconnect', 'reconnect', 'fail', 'error', 'closed']

// @ts-expect-error a port is a number
replicator.on('connect', (host: string, port: string) => { console.log(host, port) })
// @ts-expect-error no arguments
replicator.on('ready', (host: string) => { console.log(host) })
// @ts-expect-error it passes errors
replicator.on('error', (error: string) => { console.log(error) })
// @ts-expect-error a view is an object
replicator.on('view', (epoch: number) => { console.log(epoch) })
// @ts-expect-error no such phase
export const noPhase: SyncProgress['phase'] = 'done'
// @ts-expect-error no such event
export const noName: keyof ReplicatorEvents = 'open'
