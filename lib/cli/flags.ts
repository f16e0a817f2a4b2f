/** What `memprobe explain` was told to do. */
export interface ExplainFlags {
  pid?: number;
  attach?: boolean;
  trim?: boolean;
  after: number;
  json?: boolean;
  verbose?: boolean;
  top: number;
}
