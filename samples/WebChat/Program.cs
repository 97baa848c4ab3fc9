using Tcpcp.Samples.WebChat;

// A chat whose WebSockets can move: web-chat --urls http://192.0.2.1:8080 --Host host-a [--Tcpcp:Destinations:0 host-b]
// The operator says when (tcpcp drain --to HOST --app web-chat); with a destination they also move when the server stops.
WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.WebHost.UseTcpcp();
builder.Services.AddSingleton<ChatRoom>();
builder.Services.AddHostedService<Clock>();
WebApplication app = builder.Build();
app.UseDefaultFiles();
app.UsePassableStaticFiles();
app.Map("/chat", (HttpContext context, ChatRoom room) => room.ServeAsync(context));
await app.RunAsync();
