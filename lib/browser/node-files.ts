import { codes, ReplicatorError } from '../errors.ts'
import type * as files from '../node-files.ts'

export const nodeFiles: typeof files.nodeFiles = async () => {
  throw new ReplicatorError(codes.notSupported, 'There are no files in a browser: the log is in the store')
}
