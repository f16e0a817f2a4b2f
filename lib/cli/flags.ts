/** What commands were told to do. */
export interface ExplainFlags {
  pid?: number;
  attach?: boolean;
  trim?: boolean;
  after: number;
  json?: boolean;
  verbose?: boolean;
  top: number;
}

export interface LeaksFlags {
  program?: string;
  output?: string;
  json?: boolean;
  verbose?: boolean;
  top?: number;
}
