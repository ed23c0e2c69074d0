/** What the page is told when it is bundled. */
export interface Configuration {
  servers: Array<{ name: string, host: string, port: number }>
  failureTimeoutMs: number
  writeTimeoutMs: number
}

declare global {
  const CONFIGURATION: Configuration
}
