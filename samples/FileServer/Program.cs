using Tcpcp.Samples.FileServer;

return await FileServerCommand.Create("file-server").Parse(args).InvokeAsync();
