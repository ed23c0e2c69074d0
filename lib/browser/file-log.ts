import { codes, ReplicatorError } from '../errors.ts'

/** Takes the place of the log in files, which is a tenth of this package. Nobody makes one where there are no files. */
export class FileLog {
  constructor () {
    throw new ReplicatorError(codes.notSupported, 'There are no files in a browser: the log is in the store')
  }
}
