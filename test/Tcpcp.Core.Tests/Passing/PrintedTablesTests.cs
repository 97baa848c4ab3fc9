using Tcpcp.Core.Tests.Architecture;

namespace Tcpcp.Core.Tests.Passing;

public class PrintedTablesTests
{
    private const string Document = "docs/architecture.md";
    private const string Begin = "<!-- tables of a pass: printed by PrintedTablesTests -->\n";
    private const string End = "<!-- end of the tables of a pass -->\n";
    private const string Switch = "TCPCP_UPDATE_DOCS";

    [Fact]
    public void The_tables_in_the_architecture_document_are_those_that_are_shipped()
    {
        string document = SourceTree.Read(Document);
        int begin = document.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        int end = document.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= Begin.Length && end >= begin, $"{Document} has lost a marker: {Begin}or {End}");

        string printed = PrintedTables.Markdown();
        if (Environment.GetEnvironmentVariable(Switch) == "1")
        {
            File.WriteAllText(Path.Combine(SourceTree.Root, Document), document[..begin] + printed + document[end..]);
            return;
        }

        Assert.True(document[begin..end] == printed, $"""
            The tables in {Document} are not those of Tcpcp.Core/Passing any more. Print them anew and read the difference:
            {Switch}=1 dotnet run --project test/Tcpcp.Core.Tests -- -class {typeof(PrintedTablesTests).FullName}
            """);
    }
}
