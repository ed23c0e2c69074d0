import { Worker } from 'node:worker_threads'
import type { WorkerOptions } from 'node:worker_threads'

/** Starts a worker in TypeScript: Node.js does not pass on to workers what it loads TypeScript with. */
export function startWorker (file: string, options: WorkerOptions = {}): Worker {
  const code = `import('tsx/esm/api').then(({ register }) => {
    register()
    return import(${JSON.stringify(new URL(file, import.meta.url).href)})
  })`
  return new Worker(code, { ...options, eval: true })
}
